"""Sockets: the SIP listeners and the RTP port pairs."""
