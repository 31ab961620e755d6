"""CORE. Documents -> desired rows: references, what stands while something is broken, claims and clashes.

`desired.desire` is the way in; `sources` says what it is fed with.
"""
