"""Rooms on a LiveKit server: each call is a participant of kind `sip` with one connection of its own.

    signalling   CORE  what to answer to which message, when to come back, how a call loses its room
    roster       CORE  who is in the room, which tracks to subscribe to, whether anybody is there to talk to
    description  CORE  the SDP of our one connection: offers out, answers in
    audio        CORE  the caller's frames to a published track, the others' tracks to one frame
    dtls         CORE  the handshake, the keys, and what travels beside media
    token socket ice peer connection rooms   EDGE  tokens, WebSocket, UDP, and what ties them to calls and the clock

There is no RTCPeerConnection here: its tracks, queues and codec threads cost more than all the rest of a call. ICE is
aioice's, DTLS is OpenSSL's, SRTP is libsrtp's, Opus is libopus', and all packets of all calls are read by one clock.
"""
