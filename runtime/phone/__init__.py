"""The test phone: places one call, plays, records, sends digits, and says in words what was heard."""
