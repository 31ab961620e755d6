"""Media of one call leg and of a room: RTP, RTCP, digits, playout, mixing. A core: bytes and `now` in, bytes out."""
