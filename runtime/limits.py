"""Every bound of the bridge in one place, each with its unit. The SIP and media cores keep theirs beside their code.

A stranger can reach each of these; none may be infinite. The comment says what happens at the bound.
"""

from __future__ import annotations

CALLS_MAX = 2_000
"""Live calls of one bridge. At the bound an INVITE gets 503 with Retry-After."""

ROOM_MEMBERS_MAX = 100
"""Members of one embedded room. At the bound a caller gets 486."""

RETRY_AFTER_S = 5
"""What Retry-After says when the bridge is full."""

MEDIA_TIMEOUT_INITIAL_S = 30.0
"""No RTP at all after the answer (LiveKit's media_timeout_initial)."""

MEDIA_TIMEOUT_S = 15.0
"""No RTP any more (LiveKit's media_timeout). A rule's or a trunk's `media.timeout` overrides it."""

MEDIA_TIMEOUT_HOLD_S = 600.0
"""Neither RTP, RTCP nor a re-INVITE of a caller that is on hold and sends no audio: the longest `media.timeout`."""

PORT_TRIES_MAX = 64
"""Port pairs tried for one call before it is refused with 503."""

TICK_S = 0.020
"""The one clock of all calls."""

TICKS_CAUGHT_UP_MAX = 5
"""Ticks made good after a late wake-up; beyond that the clock starts afresh and the loss is counted."""

PACKETS_PER_TICK_MAX = 64
"""Datagrams read from one media socket in one tick, so that a flood at one call cannot starve the rest."""

RTP_READ_S_MAX = 0.008
"""How long one tick reads media, all calls together; what is left waits in the kernel, where a flood overflows."""

RECENT_RECORDS_MAX = 200
"""Ended calls that `bridge calls` can still show."""

COLLECTION_EVERY_S = 10.0
"""How often the cycle collector looks at everything, in quiet times."""

COLLECTION_TRANSACTIONS_MAX = 2_000
"""With more transactions live it is put off: the look would hold up every call, and transactions need none."""

COLLECTION_PUT_OFF_S_MAX = 600.0
"""It is put off for so long at most."""

RECORDS_BYTES_MAX = 64 << 20
"""One file of call records; the next line begins a new one."""

RECORDS_FILES_KEPT = 4
"""Full files of call records that are kept beside the one that is written to; the oldest goes."""

API_CONNECTIONS_MAX = 32
"""Connections to the HTTP API; at the bound one without a request makes room, or the new one is closed."""

API_HEAD_S = 2.0
"""How long the head of its request may take to come; then the connection is cut off."""

API_CONNECTION_S = 10.0
"""How long one may take for its request and answer; then it is cut off."""

SHUTDOWN_GRACE_S = 2.0
"""How long a stopping bridge waits for the answers to its BYEs."""

WAV_BYTES_MAX = 64 << 20
"""A file to be played: larger ones are refused."""

PROMPT_BYTES_MAX = 6 << 20
"""A prompt file: half a minute at the highest rate that is read. A larger one is not played."""

PROMPT_S_MAX = 30
"""The same, by its length."""

PROMPT_FILES_MAX = 64
"""Prompt files kept in memory, 1.5 MB each at most; beyond that the one that was read first is read again."""

PROMPT_READ_EVERY_S = 10.0
"""A prompt file that keeps changing is decoded so often at most; until then callers hear what it was."""

PROMPT_PAUSE_S = 0.0005
"""The pause after each tenth of a second of a prompt that is decoded, in which live calls go on."""

RECORDING_FREE_BYTES_MIN = 512 << 20
"""What recordings leave free on their disk. At the bound those under way end, and none begins."""

RECORDING_BATCH_TICKS = 50
"""A second of a recording is written at a time: so much is lost when a bridge is killed."""

RECORDING_BACKLOG_MAX = 30
"""Batches of one recording that wait for the disk, a quarter of a megabyte each at most; then it ends."""

UDP_DATAGRAMS_PER_TURN_MAX = 32
"""SIP datagrams of one socket handled in one turn of the event loop; the kernel's buffer keeps the rest."""

UDP_TURN_S_MAX = 0.002
"""How long one such turn may last: the media clock waits for it."""

TCP_CONNECTIONS_MAX = 4_096
"""SIP connections, accepted and made, together. At the bound a new one is closed at once."""

TCP_CONNECTIONS_PER_ADDRESS_MAX = 1_024
"""SIP connections with one address. At the bound a new one is closed at once."""

TCP_STRANGERS_MAX = 1_024
"""SIP connections with addresses that no trunk names, together: carriers always find a place."""

TCP_CONNECTIONS_PER_STRANGER_MAX = 16
"""SIP connections with one such address."""

TCP_BACKLOG = 1_024
"""Connections that the kernel keeps until they are accepted."""

TCP_CONNECT_S = 5.0
"""How long a connection of ours may take to be made; then the requests that wait for it end with 503."""

TLS_HANDSHAKE_S = 5.0
"""How long a TLS handshake may take, either way; then the connection is closed."""

TLS_PAIRS_MAX = 64
"""Certificates of one bridge. Each is looked at once a second, and all are made anew when one has changed."""

PING_AFTER_S = 95.0
"""A connection of ours that a call needs is pinged when nothing came for so long (RFC 5626 section 4.4.1)."""

WS_HANDSHAKE_S = 10.0
"""How long a WebSocket may take from its connection to the end of its handshake, TLS included; then it is closed."""

WS_PING_AFTER_S = 30.0
"""A WebSocket on which nothing came for so long is pinged: proxies between it and a browser close after a minute."""

PONG_WITHIN_S = 10.0
"""How long the answer may take where the peer has answered before; then the connection is dead (the same section)."""

TCP_IDLE_S = 600.0
"""A connection on which nothing came for so long is closed, unless a live call needs it."""

TCP_FIRST_MESSAGE_S = 30.0
"""The same for a stranger's, and for one on which no whole message or ping has come at all."""

TCP_LINGER_S = 1.0
"""How long the last answer on a connection may take to be sent and read before it is cut off."""

TCP_UNSENT_BYTES_MAX = 256 << 10
"""What waits for a peer that does not read, or is being connected to. At the bound the connection is closed."""

TCP_TURN_S_MAX = 0.002
"""How long the messages of all connections together may take in one turn of the event loop: media waits for it."""

TCP_READ_BYTES = 16_384
"""What is read of one connection at a time, and decrypted: in records of one byte that takes as long as a turn."""

TCP_READS_PER_MESSAGE_MAX = 8
"""Reads that one message may take. After that its connection is read in turn with others that bring crumbs: media
waits as long for a read that brings a byte as for one that brings a message."""

TCP_CRUMBS_EVERY_S = 0.005
"""How often connections that bring crumbs are read; meanwhile the kernel gathers them."""

TCP_CRUMBS_AT_ONCE = 16
"""How many of them each time."""

TCP_MESSAGES_PER_TURN_MAX = 16
"""Messages of one connection handled in one turn of the event loop, so that a burst cannot hold up media."""

CERTIFICATE_FETCH_S = 2.5
"""How long the certificate of a caller's carrier may take to come, its name looked up included; then it is not had."""

CERTIFICATES_FETCHED_MAX = 32
"""Certificates that are being fetched at once. At the bound the next one is not had; calls wait for the same one."""

CERTIFICATES_PER_HOST_MAX = 4
"""The same from one host, so that one that is slow is in nobody else's way."""

CERTIFICATES_KEPT_MAX = 1_024
"""Certificates, and failures to get one, that are remembered; the one that was asked for longest ago goes."""

CERTIFICATE_KEPT_S = 3_600.0
"""How long a certificate is kept whose server does not say."""

CERTIFICATE_KEPT_S_MIN = 60.0
"""How long at least, whatever the server says."""

CERTIFICATE_KEPT_S_MAX = 86_400.0
"""And at most."""

CERTIFICATE_MISSED_S = 30.0
"""For how long it is not tried again what could not be had, or is not to be believed."""

STIR_AUTHORITIES_BYTES_MAX = 4 << 20
"""The file of authorities for telephone numbers: a larger one is not read."""
