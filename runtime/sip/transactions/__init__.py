"""The transactions of RFC 3261 section 17 with RFC 6026: repetition, absorption and giving up, below dialogs.

`tables` holds the four machines as data, `transaction` runs them, `matching` finds the one a message belongs to, and
`layer` keeps them all, bounded. The users are `uas` and `uac`, which know calls; nothing here does.
"""
