"""What a call is: its state table, the switchboard that drives it, and the record that it leaves."""
