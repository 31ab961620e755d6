"""The first door: what a source may send before anybody parses it.

The worker asks it for every message. A source that some trunk names, or that has proven a trunk's password, may send
`KNOWN_PER_S`. A stranger may send far less, and is met with silence but for a few INVITEs a minute, which are answered
and explained, so that somebody who mistyped an address in a manifest is told. Tools that call themselves scanners are
never answered. What is turned away is counted under a word that `bridge calls` shows.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable

from runtime.gate.bucket import TokenBucket
from runtime.sip.intake import KEEP_ALIVE
from schemas.tables.networks import parse_address

ODD_PER_S = 500.0
ODD_BURST = 1_000.0
"""Messages of one carrier's address that cannot be whole (no proper start line, headers without an end). Who forges the
carrier's address with such does not use up what its calls need."""

KNOWN_PER_S = 2_000.0
KNOWN_BURST = 4_000.0
"""Messages of one carrier's address: some hundred call set-ups per second."""

STRANGER_PER_S = 10.0
STRANGER_BURST = 30.0
"""Messages of an address that no trunk names."""

STRANGER_INVITES_PER_S = 3 / 60
STRANGER_INVITES_BURST = 3.0
"""INVITEs of a stranger that are answered with a reason; the others meet silence."""

STRANGERS_INVITES_PER_S = 100.0
STRANGERS_INVITES_BURST = 200.0
"""The same for all strangers together: addresses are cheap to forge. No answer keeps anything. A challenge costs some
0.15 ms to 0.3 ms, a refusal more: it leaves a record and lines in the log that say why."""

NEIGHBOURS_INVITES_PER_S = 20.0
NEIGHBOURS_INVITES_BURST = 40.0
"""The same for the strangers of one neighbourhood: forged addresses of one network leave the others theirs."""

NEIGHBOURHOODS = 4_096
"""Buckets that networks (a /16 of IPv4, a /32 of IPv6) share, by a hash that nobody outside can foresee."""

TRUSTED_S = 3_600.0
"""How long an address that has proven a trunk's password is no stranger; each call that does so begins it anew."""

EXPECTED_S = 3_600.0
"""How long an address that was called may answer at a known source's rate; each call begins it anew."""

EXPECTED_MAX = 10_000
"""Such addresses; beyond that the one that was called longest ago answers at a stranger's rate."""

SOURCES_MAX = 10_000
"""Addresses remembered; beyond that the one that was quiet longest is forgotten."""

TRUSTED_MAX = 10_000
"""Addresses that have proven a password; beyond that the one whose proof is oldest is a stranger again."""

HEAD_BYTES = 4_096
"""How much of a message is looked at for its method, its dialog and its sender's name."""

_SCANNER = re.compile(
    rb"^(?:User-Agent|Server)[ \t]*:[^\r\n]*"
    rb"(?:friendly-scanner|friendly-request|sipvicious|sipcli|sip-scan|sipsak|sundayddr|iwar|VaxSIPUserAgent|pplsip)",
    re.IGNORECASE | re.MULTILINE,
)
_TOKEN = rb"[A-Za-z0-9\-.!%*_+`'~]+"
_SIP = re.compile(rb"[\r\n]*(?:SIP/|" + _TOKEN + rb"[ \t]+[^ \t])")
"""How everything begins that the parser can make something of."""
_WHOLE = re.compile(rb"[\r\n]*(?:SIP/2\.0 [1-6][0-9][0-9][ \r]|" + _TOKEN + rb" [!-~]+ SIP/2\.0\r\n)", re.IGNORECASE)
_IN_DIALOG = re.compile(rb"^(?:To|t)[ \t]*:[^\r\n]*;[ \t]*tag[ \t]*=", re.IGNORECASE | re.MULTILINE)


class SourceGate:
    """One per bridge. `is_known(address)` says whether a trunk names the address; after `forget` each is asked of anew.

    `is_answer(head, address, now)` says whether an INVITE answers a challenge that was sent to this very address: its
    source is not forged, and it is on its way to be known. No count of strangers' INVITEs holds it up. `key` is secret.
    """

    def __init__(
        self, is_known: Callable[[str], bool], is_answer: Callable[[bytes, str, float], bool], key: bytes
    ) -> None:
        self._is_known = is_known
        self._is_answer = is_answer
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self._edits = 0
        self._trusted_until: OrderedDict[str, float] = OrderedDict()
        self._expected_until: OrderedDict[str, float] = OrderedDict()
        self._strangers = TokenBucket(STRANGERS_INVITES_PER_S, STRANGERS_INVITES_BURST, 0.0)
        self._neighbourhoods: dict[int, TokenBucket] = {}
        self._key = key

    def forget(self) -> None:
        """The tables changed: who is known may have changed with them. Rates are remembered.

        Each source is asked of anew when it next sends. Asking of all that are remembered here took longer than several
        media ticks at every edit.
        """
        self._edits += 1

    def trust(self, address: str, now: float) -> None:
        """Somebody there has proven a trunk's password: for a while it may send as much as a source that is named."""
        # In a table of its own, that only proofs fill: among all sources, forged addresses would push it out.
        if address not in self._trusted_until and len(self._trusted_until) >= TRUSTED_MAX:
            self._trusted_until.popitem(last=False)
        self._trusted_until[address] = now + TRUSTED_S
        self._trusted_until.move_to_end(address)
        self._source(address, now).trusted_until = now + TRUSTED_S

    def expect(self, address: str, now: float) -> None:
        """Somebody there is called: its answers, and what belongs to the call, come at a known source's rate.

        Only they: whoever is called may call us no more often than before, or calling somebody would let him in.
        """
        if address not in self._expected_until and len(self._expected_until) >= EXPECTED_MAX:
            self._expected_until.popitem(last=False)
        self._expected_until[address] = now + EXPECTED_S
        self._expected_until.move_to_end(address)

    def knows(self, address: str, now: float) -> bool:
        """Whether a trunk names the address, or it has proven a password."""
        return self._source(address, now).is_known(now)

    def rest_s(self, address: str, now: float) -> float:
        """How long a stream of this address is not read, so that nothing of it need be dropped for its rate.

        On a stream nobody repeats what was dropped, but its sender can be made to wait. A stranger is not waited for.
        """
        return self._source(address, now).rest_s(now)

    def refuses(self, data: bytes, address: str, now: float) -> str | None:
        """Why this message is dropped, as a word for counters; None when it may go on."""
        source = self._source(address, now)
        if source.is_known(now):
            return self._refuses_known(data, source, now)
        head = data[:HEAD_BYTES]
        if now < self._expected_until.get(address, now) and _is_of_a_call(head):
            return None if source.answers(now) else "source-rate"
        if not source.messages(now):
            return "stranger-rate"
        return self._refuses_stranger(head, address, source, now)

    def _refuses_known(self, data: bytes, source: _Source, now: float) -> str | None:
        if not data.strip(KEEP_ALIVE):
            return None  # costs as much to drop as to take
        if _SIP.match(data) is None:
            return "not-sip"
        if b"\r\n\r\n" not in data or _WHOLE.match(data) is None:
            return None if source.odd.take(now) else "odd-rate"
        return None if source.messages(now) else "source-rate"

    def _refuses_stranger(self, head: bytes, address: str, source: _Source, now: float) -> str | None:
        if head.startswith(b"SIP/2.0 "):
            return None  # an answer to something of ours, or the endpoint drops it
        if _SCANNER.search(head):
            return "scanner"
        if _IN_DIALOG.search(head) or head.startswith((b"ACK ", b"CANCEL ")):
            return None  # a carrier may go on from another address; the dialog's tags are its proof
        if not head.startswith(b"INVITE "):
            return "stranger"
        if self._is_answer(head, address, now):
            return None
        if source.invites.take(now) and self._neighbours(address, now).take(now) and self._strangers.take(now):
            return None
        return "stranger-invite"

    def _neighbours(self, address: str, now: float) -> TokenBucket:
        parsed = parse_address(address)
        network = address if parsed is None else str(parsed.value >> (16 if parsed.version == 4 else 96))
        digest = hashlib.blake2s(network.encode(), key=self._key, digest_size=4).digest()
        place = int.from_bytes(digest) % NEIGHBOURHOODS
        found = self._neighbourhoods.get(place)
        if found is None:
            found = TokenBucket(NEIGHBOURS_INVITES_PER_S, NEIGHBOURS_INVITES_BURST, now)
            self._neighbourhoods[place] = found
        return found

    def _source(self, address: str, now: float) -> _Source:
        found = self._sources.get(address)
        if found is None:
            if len(self._sources) >= SOURCES_MAX:
                self._sources.popitem(last=False)
            trusted_until = self._trusted_until.get(address, now)
            found = self._sources[address] = _Source(self._is_known(address), self._edits, trusted_until, now)
            return found
        self._sources.move_to_end(address)
        if found.asked_at_edit != self._edits:
            found.asked_at_edit = self._edits
            found.named = self._is_known(address)
        return found


def _is_of_a_call(head: bytes) -> bool:
    """Whether it is an answer, or a request within a dialog."""
    return head.startswith(b"SIP/2.0 ") or _IN_DIALOG.search(head) is not None


class _Source:
    """What is remembered of one address."""

    __slots__ = ("_known_rate", "_stranger_rate", "asked_at_edit", "invites", "named", "odd", "trusted_until")

    def __init__(self, named: bool, edit: int, trusted_until: float, now: float) -> None:
        self.named = named
        self.asked_at_edit = edit
        self.trusted_until = trusted_until
        self._known_rate = TokenBucket(KNOWN_PER_S, KNOWN_BURST, now)
        self._stranger_rate = TokenBucket(STRANGER_PER_S, STRANGER_BURST, now)
        self.odd = TokenBucket(ODD_PER_S, ODD_BURST, now)
        self.invites = TokenBucket(STRANGER_INVITES_PER_S, STRANGER_INVITES_BURST, now)

    def messages(self, now: float) -> bool:
        """Whether one more message is within the rate."""
        return (self._known_rate if self.is_known(now) else self._stranger_rate).take(now)

    def answers(self, now: float) -> bool:
        """Whether one more of what a called phone sends is within the rate."""
        return self._known_rate.take(now)

    def rest_s(self, now: float) -> float:
        """How long until one more message is."""
        return self._known_rate.wait_s(now) if self.is_known(now) else 0.0

    def is_known(self, now: float) -> bool:
        """Whether it is no stranger: a trunk names it, or it has proven a password."""
        return self.named or now < self.trusted_until
