"""House two, "the bridge": answers calls from the live tables and brings them into rooms."""
