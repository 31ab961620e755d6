"""The test phone: places one call or waits for one, plays, records, presses keys, and says in words what was heard."""
