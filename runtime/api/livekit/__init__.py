"""The API that LiveKit's SDKs, agents and command line already speak, so that one LIVEKIT_URL serves them all.

`server` listens. What concerns SIP it answers itself, from the live tables: `grants` says who may ask, `service` what
is asked, `listing` which objects, `objects` how they look in LiveKit's words; these are cores. All else that a LiveKit
server offers is passed to the real one by `proxy`; `routes` tells the two apart.
"""
