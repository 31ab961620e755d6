"""A network in user space that loses packets of one phone and brings them late, by a seed: a SIP proxy with a relay.

The phone calls the relay as if it were the bridge. Requests and answers go on as they are, but for the media port in
the bridge's answer, which becomes the relay's; so what the phone says comes by here. The other way is left alone.
"""

from __future__ import annotations

import heapq
import random
import re
import select
import socket
import threading
import time
from dataclasses import dataclass

from runtime.media import rtp

DATAGRAM_BYTES_MAX = 2_048


@dataclass(frozen=True)
class Network:
    """How bad it is: the share that is lost, and by how much packets are late, evenly spread from 0."""

    loss: float
    jitter_s: float
    seed: int = 5

    @property
    def words(self) -> str:
        return f"{self.loss:.0%} loss, {1000 * self.jitter_s:.0f} ms of jitter"

    @property
    def key(self) -> str:
        return f"{100 * self.loss:.0f}-{1000 * self.jitter_s:.0f}"


class Relay(threading.Thread):
    """Between one phone and the bridge, while `with` lasts. `sent`: when the phone sent what (timestamps of RTP)."""

    def __init__(self, bridge_port: int, network: Network) -> None:
        super().__init__(daemon=True)
        self._bridge = ("127.0.0.1", bridge_port)
        self._network, self._dice = network, random.Random(network.seed)
        self._sip, self._media = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for each in (self._sip, self._media):
            each.bind(("127.0.0.1", 0))
            each.setblocking(False)
        self.port = int(self._sip.getsockname()[1])
        self.sent: list[tuple[float, int]] = []
        self._phone_sip = self._phone_media = self._bridge_media = ("127.0.0.1", 9)
        self._late: list[tuple[float, int, bytes]] = []
        self._over = False

    def __enter__(self) -> Relay:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self.join()
        self._sip.close()
        self._media.close()

    def run(self) -> None:
        """Until it is over."""
        while not self._over:
            now = time.monotonic()
            while self._late and self._late[0][0] <= now:
                self._media.sendto(heapq.heappop(self._late)[2], self._bridge_media)
            wait_s = min(0.05, self._late[0][0] - now if self._late else 0.05)
            ready, _, _ = select.select([self._sip, self._media], [], [], max(0.0, wait_s))
            for each in ready:
                try:
                    data, source = each.recvfrom(DATAGRAM_BYTES_MAX)
                except OSError:  # an ICMP error of an earlier packet
                    continue
                if each is self._sip:
                    self._signal(data, source)
                else:
                    self._speak(data, source)

    def _signal(self, data: bytes, source: tuple[str, int]) -> None:
        if source != self._bridge:
            self._phone_sip = source
            self._sip.sendto(data, self._bridge)
            return
        found = re.search(rb"m=audio (\d+)", data)
        if found is not None:
            self._bridge_media = ("127.0.0.1", int(found[1]))
            port = b"%d" % self._media.getsockname()[1]
            assert len(port) == len(found[1]), "a body keeps its length"
            data = data.replace(found[0], b"m=audio " + port)
        self._sip.sendto(data, self._phone_sip)

    def _speak(self, data: bytes, source: tuple[str, int]) -> None:
        if source == self._bridge_media:
            self._media.sendto(data, self._phone_media)
            return
        self._phone_media, now = source, time.monotonic()
        packet = rtp.parse(data)
        is_lost, late_s = self._dice.random() < self._network.loss, self._dice.random() * self._network.jitter_s
        if packet is not None:
            self.sent.append((now, packet[3]))
            if not is_lost:
                heapq.heappush(self._late, (now + late_s, len(self.sent), data))
