"""What strangers send to an encrypted leg: datagrams of any kind, and keys and certificates in SDP."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from runtime.media import rtcp, rtp
from runtime.media.dtls import Dtls, Identity, new_identity
from runtime.media.dtls_leg import HANDSHAKES_MAX, WAITING_MAX, DtlsLeg, Handshake
from runtime.media.ice_checks import IceNames
from runtime.media.ice_lite import IceLite
from runtime.media.protection import Keys, MasterKey, Protection
from runtime.media.srtp import SUITES, Profile
from runtime.sip.crypto_lines import read_crypto, write_crypto
from runtime.sip.dtls_terms import IceLogin, read_dtls, write_dtls
from runtime.sip.sdp import MediaDescription, SdpSyntaxError, SessionDescription, parse_sdp
from tests.fuzz.media import Bytes

PHONE, STRANGER = ("192.0.2.7", 4000), ("192.0.2.66", 4000)
NAMES = IceNames("ours", "p" * 32, "theirs")
DATAGRAMS_MAX = 32
SSRC = 0xCAFEBABE

SRTP_WORDS = (b"\x80\x00", b"\x80\xc8", b"\x90\x00", b"\xbe\xde\x00\x01", b"\xff\xff", b"\xca\xfe\xba\xbe")
CRYPTO_WORDS = (
    *(name.encode() for name in SUITES),
    *(b"inline:", b"|2^20", b"|2^48", b"|1:4", b";", b"WSH=64", b"KDR=1", b"UNENCRYPTED_SRTP", b"FEC_ORDER=FEC_SRTP"),
)
DTLS_WORDS = (b"\x16\xfe\xff", b"\x16\xfe\xfd", b"\x15\xfe\xfd", b"\x14\xfe\xfd", b"\x17\xfe\xfd", b"\x01\x00\x00")
ICE_WORDS = (
    b"\x00\x01",
    b"\x21\x12\xa4\x42",
    b"\x00\x06",
    b"\x00\x08\x00\x14",
    b"\x00\x25\x00\x00",
    b"\x80\x28\x00\x04",
)


@cache
def _masters(profile: Profile) -> tuple[MasterKey, MasterKey]:
    size = profile.key_bytes + profile.salt_bytes
    return MasterKey(bytes(range(size)), b"\1\2"), MasterKey(bytes(range(1, size + 1)), b"\1\2")


def fuzz_srtp(data: bytes) -> None:
    """A leg by each suite: what is not made by its keys is None, and the stream goes on, whatever came between."""
    profile = list(SUITES.values())[data[0] % len(SUITES)] if data else SUITES["AES_CM_128_HMAC_SHA1_80"]
    ours, theirs = _masters(profile)
    if data[:1] and data[0] & 0x80:
        ours, theirs = MasterKey(ours.key), MasterKey(theirs.key)
    leg, peer = Protection(Keys(profile, ours, (theirs,))), Protection(Keys(profile, theirs, (ours,)))
    given, sequence = Bytes(data[1:]), 65_500
    for _ in range(DATAGRAMS_MAX):
        if not given:
            break
        datagram = given.take(given.number(2) % 1600)
        assert leg.unprotect(datagram) is None
        assert leg.unprotect_rtcp(datagram) is None
        sequence += 1 + given.number() % 64
        packet = rtp.header(0, False, sequence & 0xFFFF, 0, SSRC) + bytes(160)
        wire = peer.protect(packet)
        assert wire is not None
        at = given.number(2) % len(wire)
        broken = wire[:at] + bytes([wire[at] ^ (given.number() or 1)]) + wire[at + 1 :]
        assert leg.unprotect(broken) is None
        assert leg.unprotect(wire) == packet
        assert leg.unprotect(wire) is None
        report = peer.protect_rtcp(rtcp.write((rtcp.ReceiverReport(7),)))
        assert report is not None
        assert leg.unprotect_rtcp(report[:-1]) is None
        assert leg.unprotect_rtcp(report) is not None


def srtp_seeds() -> list[bytes]:
    """Suites with and without names of keys, and packets of each kind."""
    packet = rtp.header(0, True, 1, 160, SSRC) + bytes(160)
    return [bytes([n]) + b"\x00\xac" + packet + b"\x01\x05\x01" * 3 for n in (0, 1, 2, 3, 4, 0x80, 0x83)]


def fuzz_crypto(data: bytes) -> None:
    """A line as it stands: a key that is read is written and read as the same, and has the length of its suite."""
    line = read_crypto(data.decode("latin-1"))
    if line is not None:
        assert read_crypto(write_crypto(line)) == line
        assert {len(key.key) for key in line.keys} == {SUITES[line.suite].key_bytes + SUITES[line.suite].salt_bytes}


def crypto_seeds() -> list[bytes]:
    """Lines as phones and RFC 4568 write them."""
    return [
        b"1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4 FEC_ORDER=FEC_SRTP",
        b"1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32",
        b"2 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20|1:32 -X WSH=1024",
        b"3 AEAD_AES_128_GCM inline:" + b"A" * 38 + b"==",
    ]


@cache
def _identities() -> tuple[Identity, Identity]:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return new_identity(now), new_identity(now)


def fuzz_dtls(data: bytes) -> None:
    """A leg that shakes hands: nobody without the certificate gets anywhere, and what is kept is bounded."""
    us, phone = _identities()
    given = Bytes(data)
    shape = given.number()
    handshake = Handshake((phone.fingerprint,), bool(shape & 1), True, NAMES if shape & 2 else None)
    leg, now = DtlsLeg(us, handshake, PHONE, lambda _: True, 0.0), 0.0
    hello = Dtls(phone, (us.fingerprint,), client=True)
    hello.start()
    [first] = hello.datagrams_to_send()
    for _ in range(DATAGRAMS_MAX):
        if not given:
            break
        code = given.number()
        source = STRANGER if code & 0x80 else ("192.0.2.99", given.number(2)) if code & 0x40 else PHONE
        datagram = given.take(given.number(2) % 1600)
        if code & 1:
            at = given.number(2) % len(first)
            datagram = first[:at] + datagram + first[at + len(datagram) :]
        assert leg.receive(datagram, source, now) is None
        now += (code >> 1 & 7) / 2
        leg.handle_timer(now)
        assert leg.protection is None
        assert len(leg._open) <= HANDSHAKES_MAX
        assert sum(leg.next_datagram() is not None for _ in range(WAITING_MAX + 1)) <= WAITING_MAX


def dtls_seeds() -> list[bytes]:
    """Hellos, alerts and media before there is a key, with and without ICE."""
    alert = b"\x15\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x07\x00\x02\x02\x28"
    media = b"\x80\x00" + bytes(170)
    return [
        bytes([shape]) + b"\x01\x00\x00\x00\x00" * 2 + b"\x00" + len(alert).to_bytes(2) + alert
        + b"\x80" + len(media).to_bytes(2) + media
        for shape in range(4)
    ]  # fmt: skip


def fuzz_ice(data: bytes) -> None:
    """A datagram as STUN, and SDP that names certificates and candidates."""
    ice = IceLite(NAMES)
    assert ice.answer(data, PHONE, 1.0) is None
    assert not ice.is_checked(PHONE)
    media = MediaDescription("audio", 9, "UDP/TLS/RTP/SAVPF", ("0",))
    try:
        description = parse_sdp(
            b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" + data
        )
        media = description.media[0]
    except SdpSyntaxError:
        return
    assert isinstance(description, SessionDescription)
    terms = read_dtls(description, media)
    if terms is not None:
        said = write_dtls(terms, IceLogin("abcd", "x" * 22), "192.0.2.1", 4000)
        again = read_dtls(description, MediaDescription("audio", 9, media.protocol, ("0",), None, said))
        assert again is not None
        assert (again.hashes, again.setup, again.mux, again.mid) == (terms.hashes, terms.setup, terms.mux, terms.mid)


def ice_seeds() -> list[bytes]:
    """A check without its signature, and attributes of a browser."""
    hashed = b":".join(b"%02X" % n for n in range(32))
    return [
        b"\x00\x01\x00\x10\x21\x12\xa4\x42" + bytes(12) + b"\x00\x06\x00\x0bours:theirs\0",
        b"a=fingerprint:sha-256 " + hashed + b"\r\na=setup:actpass\r\na=mid:0\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\n"
        b"a=ice-pwd:0123456789012345678901\r\na=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\n",
    ]
