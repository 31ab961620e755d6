"""Who may take up the bridge's time, and how much: sources before anything is parsed, trunks before a call is taken."""
