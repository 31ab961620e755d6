"""The running bridge: the event loop, the clock of all calls, the reader of the tables, the reconciler child."""
