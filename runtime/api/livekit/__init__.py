"""The API that LiveKit's SDKs, agents and command line already speak, so that one LIVEKIT_URL serves them all.

`server` listens. What concerns SIP it answers itself, from the live tables: `grants` says who may ask, `service` what
is asked, `listing` which objects, `objects` how they look in LiveKit's words; these are cores. A request to place or
transfer a call is read by `dialling` or `transferring` (with `addresses`, `headers`, `media`, `values`), carried out by
`orders` through `control`, and what became of it told by `outcomes` and `sip_status`. All else that a LiveKit server
offers is passed to the real one by `proxy`; `routes` tells the two apart.
"""
