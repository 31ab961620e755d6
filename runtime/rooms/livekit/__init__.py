"""Rooms on a LiveKit server: each call is a participant of kind `sip` with connections of its own.

    signalling   CORE  what to answer to which message, when to come back, how a call loses its room
    roster       CORE  who is in the room, which tracks to subscribe to, whether anybody is there to talk to
    patience     CORE  pings, attempts to come back, and their bounds
    modes paths  CORE  one media path or two, by what the server has, and how each is negotiated
    description  CORE  the SDP of a connection that we offer; offered: of the one that the server offers
    audio        CORE  the caller's frames to a published track, the others' tracks to one frame
    dtls         CORE  the handshake, the keys, and what travels beside media
    token socket ice peer connection rooms   EDGE  tokens, WebSocket, UDP, and what ties them to calls and the clock

There is no RTCPeerConnection here: its tracks, queues and codec threads cost more than all the rest of a call. ICE is
aioice's, DTLS is OpenSSL's, SRTP is libsrtp's, Opus is libopus', and all packets of all calls are read by one clock.
"""
