"""DTLS-SRTP of one socket of a call leg (RFC 5763, RFC 5764), with ICE where the phone does that (`ice_lite`).

Datagrams are told apart by their first byte (RFC 7983). It promises:

* A handshake is begun only with who has shown to be there: the address that a check of ICE came from; without ICE the
  address of the SDP, and a few others for phones behind a NAT. They shake hands beside each other, each by itself, and
  only the one whose certificate signalling has named gets anywhere: no ClientHello that comes first, and no alert from
  elsewhere, ends the phone's own (the class of CVE-2023-49786).
* One that fails is forgotten and may be tried again; how many there are at once and in all, and how long each may
  take, is bounded.
* Nothing passes before the fingerprint was compared, and what passes then is authentic. Whoever sends it is the phone,
  wherever it is: media follow it, with ICE when it says so, without when the address before has fallen silent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from runtime.media.dtls import Dtls, DtlsError, Fingerprint, Identity
from runtime.media.ice_checks import IceNames
from runtime.media.ice_lite import IceLite
from runtime.media.protection import Protection
from runtime.media.source import Address

HANDSHAKES_MAX: Final = 3
"""Handshakes of one socket at a time; one place is the phone's."""
HANDSHAKE_S: Final = 10.0
"""How long one may take."""
BEGUN_MAX: Final = 8
"""Handshakes of strangers that are begun in all, and as many with the address of the SDP."""
WAITING_MAX: Final = 32
"""Datagrams of ours that wait to be sent."""
MOVE_SILENCE_S: Final = 1.0

HANDSHAKE_LAST: Final = 63
"""First bytes of ICE and DTLS go up to this one."""
_STUN_LAST, _DTLS_FIRST, _ALERT, _RTP_FIRST, _RTP_LAST = 3, 20, 21, 128, 191
_RTCP_FIRST, _RTCP_LAST = 192, 223


@dataclass(frozen=True, slots=True)
class Handshake:
    """What signalling agreed on. `client`: we begin. `mux`: RTCP comes by the same socket (RFC 5761)."""

    fingerprints: tuple[Fingerprint, ...]
    client: bool
    mux: bool
    ice: IceNames | None = None
    """How the phone's checks are known; None where it makes none."""


class DtlsLeg:
    """One socket's. `expected` is the address of the SDP; `may_be(host)` says whether media may be there at all."""

    __slots__ = (
        "_begun",
        "_begun_there",
        "_dtls",
        "_expected",
        "_handshake",
        "_heard_at",
        "_ice",
        "_identity",
        "_may_be",
        "_open",
        "_out",
        "fault",
        "protection",
        "refused",
        "remote",
    )

    def __init__(
        self, identity: Identity, handshake: Handshake, expected: Address, may_be: Callable[[str], bool], now: float
    ) -> None:
        self._identity, self._handshake, self._may_be = identity, handshake, may_be
        self._expected = expected
        self._ice = IceLite(handshake.ice) if handshake.ice is not None else None
        self._open: dict[Address, tuple[Dtls, float]] = {}
        self._dtls: Dtls | None = None
        self._begun = self._begun_there = 0
        self._heard_at = now
        self._out: deque[tuple[bytes, Address]] = deque(maxlen=WAITING_MAX)
        self.remote: Address | None = None
        """Where media go, once the handshake is done."""
        self.protection: Protection | None = None
        """What protects them then."""
        self.refused = 0
        """Datagrams that are none of the phone's, as far as can be told."""
        self.fault = ""
        """Why the last handshake failed, in words."""
        if handshake.client and self._ice is None:
            self._begin(expected, now)

    def renew(self, handshake: Handshake, expected: Address, now: float) -> bool:
        """Signalling has agreed again; False where that is another association (RFC 8842 section 4): make a new one."""
        before = self._handshake
        if set(handshake.fingerprints) != set(before.fingerprints) or (handshake.ice is None) != (before.ice is None):
            return False
        if handshake.ice is not None and handshake.ice != before.ice:
            self._ice = IceLite(handshake.ice)  # the way so far is used until there is another
        if self._ice is None and expected != self._expected and self.remote is not None:
            self.remote, self._heard_at = expected, now
        self._handshake, self._expected = handshake, expected
        return True

    # -- in ------------------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, address: Address, now: float) -> tuple[bytes, bool] | None:
        """Take a datagram: a packet of the phone's and whether it is RTCP, or None."""
        first = data[0] if data else 0xFF
        if _RTP_FIRST <= first <= _RTP_LAST:
            return self._take_media(data, address, now)
        if not self._may_be(address[0]):
            self.refused += 1
        elif _DTLS_FIRST <= first <= HANDSHAKE_LAST:
            self._take_dtls(data, address, now)
        elif first <= _STUN_LAST and self._ice is not None:
            self._take_check(self._ice, data, address, now)
        else:
            self.refused += 1
        return None

    def _take_media(self, data: bytes, address: Address, now: float) -> tuple[bytes, bool] | None:
        if self.protection is None or not self._may_be(address[0]):
            self.refused += 1
            return None
        is_rtcp = len(data) > 1 and _RTCP_FIRST <= data[1] <= _RTCP_LAST
        plain = self.protection.unprotect_rtcp(data) if is_rtcp else self.protection.unprotect(data)
        if plain is None:
            return None
        self._dtls = None  # the phone has its keys, so nothing of the handshake is to be sent again: 80 KiB less
        if address == self.remote:
            self._heard_at = now
        elif self._ice is None and now - self._heard_at > MOVE_SILENCE_S:
            self.remote, self._heard_at = address, now
        return plain, is_rtcp

    def _take_check(self, ice: IceLite, data: bytes, address: Address, now: float) -> None:
        answer = ice.answer(data, address, now)
        if answer is None:
            self.refused += 1
            return
        self._out.append((answer, address))
        if ice.nominated is None:
            return
        if self.protection is not None:
            self.remote = ice.nominated
        elif self._handshake.client and not self._open:
            self._begin(ice.nominated, now)

    def _take_dtls(self, data: bytes, address: Address, now: float) -> None:
        if data[0] == _ALERT:  # in clear it is anybody's, and what it could say is not waited for
            self.refused += 1
            return
        if self.protection is not None:
            if self._dtls is None or not (address == self.remote or (self._ice and self._ice.is_checked(address))):
                self.refused += 1
            else:
                self._feed_old(self._dtls, data, address)
            return
        if address not in self._open and (self._handshake.client or not self._begin(address, now)):
            self.refused += 1
            return
        dtls, _ = self._open[address]
        try:
            dtls.receive(data)
        except DtlsError as fault:
            del self._open[address]
            self.fault = str(fault)
            return
        self._send(dtls, address)
        if dtls.keys is not None:
            self._dtls, self.protection, self._open, self.fault = dtls, Protection(dtls.keys), {}, ""
            nominated = self._ice.nominated if self._ice is not None else None
            self.remote, self._heard_at = nominated or address, now

    def _feed_old(self, dtls: Dtls, data: bytes, address: Address) -> None:
        """Our last flight may have been lost; nothing else that comes now is of any meaning, a goodbye least of all."""
        try:
            dtls.receive(data)
        except DtlsError:
            return
        self._send(dtls, address)

    def _begin(self, address: Address, now: float) -> bool:
        """Begin a handshake, if there may be one with this address; whether there is."""
        if self._ice is not None and not self._ice.is_checked(address):
            return False
        is_phone = self._ice is not None or address == self._expected
        if (self._begun_there if is_phone else self._begun) >= BEGUN_MAX:
            return False
        strangers = sum(known != self._expected for known in self._open)
        if self._ice is None and not is_phone and strangers >= HANDSHAKES_MAX - 1:
            return False
        if self._ice is not None and len(self._open) >= HANDSHAKES_MAX:
            return False
        self._begun_there += is_phone
        self._begun += not is_phone
        dtls = Dtls(self._identity, self._handshake.fingerprints, client=self._handshake.client)
        self._open[address] = dtls, now
        dtls.start()
        self._send(dtls, address)
        return True

    # -- out -----------------------------------------------------------------------------------------------------------

    def protect(self, packet: bytes, now: float, *, rtcp: bool = False) -> tuple[bytes, Address] | None:
        """A packet of ours and where to send it; None while there is no way, or the phone wants none any more."""
        if self.protection is None or self.remote is None:
            return None
        if self._ice is not None and self._ice.nominated is not None and not self._ice.consents(now):
            return None
        wire = self.protection.protect_rtcp(packet) if rtcp else self.protection.protect(packet)
        return None if wire is None else (wire, self.remote)

    def next_datagram(self) -> tuple[bytes, Address] | None:
        """What is to be sent beside media: answers to checks, and handshakes."""
        return self._out.popleft() if self._out else None

    def handle_timer(self, now: float) -> None:
        """Repeat what got lost in handshakes, and give up those that take too long."""
        for address, (dtls, begun_at) in list(self._open.items()):
            try:
                dtls.handle_timer()
            except DtlsError as fault:
                self.fault = str(fault)
            else:
                self._send(dtls, address)
                if now - begun_at < HANDSHAKE_S:
                    continue
                self.fault = "the DTLS handshake took too long"
            del self._open[address]
            if self._handshake.client:
                self._begin(address, now)

    def _send(self, dtls: Dtls, address: Address) -> None:
        self._out.extend((datagram, address) for datagram in dtls.datagrams_to_send())
