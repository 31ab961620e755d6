"""Where calls meet: the adapter that every kind of room fits, and the rooms that live inside the bridge."""
