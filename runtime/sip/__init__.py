"""SIP for one bridge, without sockets, clocks or entropy: messages, SDP, offer/answer, transactions, dialogs.

Bytes come in and values come out. From the bottom up: `grammar` (RFC 3261 section 25), `uri`, `fields`, `message`,
`parser` and `writer`, `validate` (what is refused before a method is looked at), `sdp` and `offer_answer`
(RFC 8866, RFC 3264). The facade for everybody outside this package is `endpoint`.
"""
