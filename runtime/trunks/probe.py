"""One trunk whose addresses are asked whether they live (OPTIONS, RFC 3261 section 11). A core; the endpoint asks.

Any answer is a sign of life, 404 and 405 too; but 503 says that calls should go elsewhere.
"""

from __future__ import annotations

from typing import Any

from runtime.routing.dial import Way, route_of, uri_of
from runtime.sip.endpoint import Endpoint
from runtime.sip.fields import parse_seconds
from runtime.sip.grammar import write_host_port
from runtime.sip.locating import Hop, hop_of
from runtime.sip.message import Response
from runtime.sip.responses import made_here
from runtime.trunks import limits
from runtime.trunks.circuits import Circuits, State
from runtime.trunks.tended import Probed
from schemas.printable import printable

FORGOTTEN_AFTER = 3
"""An address that is down is left to calls after so many rounds in which nobody has probed it."""


class Probe:
    """One per trunk with `probe`. `asked` is where its questions are noted, `first` when it begins (seconds)."""

    def __init__(
        self, probed: Probed, endpoint: Endpoint, circuits: Circuits, asked: dict[int, Any], first: float
    ) -> None:
        self.probed = probed
        self._endpoint = endpoint
        self._circuits = circuits
        self._due = first
        self._noted = asked
        self._asked: dict[int, Hop] = {}

    def is_due(self, now: float, wait: float) -> bool:
        """Whether it is time to look the addresses up; that is said once a round. `wait`: of the round, 0.9 to 1."""
        if now < self._due:
            return False
        self._due = now + self.probed.every_s * wait
        return True

    def found(self, ways: list[Way], now: float) -> None:
        """Where they are: they are asked now, but those whose last answer is still awaited."""
        by_hop: dict[Hop, Way] = {}
        for place, path in ways:  # several places may be behind one proxy: it is asked for the first
            by_hop.setdefault(hop_of(path), (place, path))
        awaited = set(self._asked.values())
        for hop, (place, path) in by_hop.items():
            if hop in awaited:
                continue
            target = str(uri_of(place))
            ask = self._endpoint.ask(
                "OPTIONS",
                target,
                path,
                now,
                from_=f"<sip:{write_host_port(self._endpoint.facing.host(path), None)}>",
                to=f"<{target}>",
                headers=[
                    *route_of(place),
                    ("Contact", self._endpoint.contact(path, "")),
                    ("Accept", "application/sdp"),
                ],
                within_s=limits.PROBE_S,
            )
            self._asked[ask] = hop
            self._noted[ask] = self

    def answered(self, ask: int, response: Response | None, now: float) -> tuple[Hop, State] | None:
        """What became of a question: where that is news of an address, that address and what was known of it before."""
        hop = self._asked.pop(ask)
        before = self._circuits.of(hop).state
        retry_s = FORGOTTEN_AFTER * self.probed.every_s
        if response is None:
            is_news = self._circuits.failed(hop, "no answer", now, retry_s)
        elif response.status == 503:
            words = printable(response.reason) if made_here(response) else "SIP 503"
            wait_s = parse_seconds(response.headers.first("Retry-After"))
            if wait_s and not made_here(response):
                is_news = self._circuits.rests(hop, wait_s, now)
            else:
                is_news = self._circuits.failed(hop, words, now, retry_s)
        else:
            is_news = self._circuits.answered(hop, response.status, now)
        return (hop, before) if is_news else None
