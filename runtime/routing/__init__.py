"""From an INVITE's facts to an admission or a refusal with its trail."""
