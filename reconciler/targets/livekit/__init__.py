"""The target of LiveKit Cloud and livekit-sip: trunks and dispatch rules kept through LiveKit's own API.

Everything is planned on rows, as for our own tables: `reading` makes rows of what a server holds, so that references,
clashes, gates and rendering are the same for both targets. `writing` makes the server's objects of rows, `steps` say
which calls lead there, `carrying` makes them, `server` is the wire. Who owns an object stands on the object (`marker`).
"""
