"""Digest authentication (RFC 7616, RFC 8760, RFC 3261 section 22), as the one who asks and as the one who is asked.

`headers` reads and writes the four header fields, `digest` is the arithmetic, `nonces` makes challenges that are known
again without being kept, `lockout` counts wrong answers, `server` puts these together for requests that arrive, and
`client` answers the challenges to requests of ours. Passwords come in as bytes and go out in no form.
"""
