"""The bridge's HTTP API: what `bridge calls` asks."""
