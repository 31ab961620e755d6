"""House one: converges what is declared into the live tables."""
