"""What offer and answer agreed on for one call's media, in the words of RTP."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.limits import MEDIA_TIMEOUT_INITIAL_S, MEDIA_TIMEOUT_S
from runtime.media.codecs.codec import Codec
from runtime.media.codecs.opus import NO_WISHES, OpusWishes
from runtime.media.dtls_leg import Handshake
from runtime.media.protection import Keys
from runtime.media.source import ANYBODY, Address, Peer


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """`send` and `receive` are ours; `dtmf_*` is None without telephone-events."""

    codec: Codec
    payload_type_send: int
    payload_type_receive: int
    dtmf_send: int | None
    dtmf_receive: int | None
    remote: Address
    remote_rtcp: Address
    send: bool = True
    receive: bool = True
    dtmf_clock_hz: int = 8_000
    """What the durations of telephone-events count."""
    opus: OpusWishes = NO_WISHES
    """What the peer says of the Opus that it would like."""
    keys_by_info: bool = False
    """Our digits go by SIP INFO: each is told as a `DigitDue` when its time has come."""
    keys_by_tone: bool = False
    """Our digits go as tones in the voice itself."""
    hears_tones: bool = False
    """The peer's digits may come as tones: they are told, and taken out of its voice."""
    ptime_ms: int = 20
    """The peer's wish for our packets: 10 to 60."""
    silent: bool = False
    """What is sent holds silence and no word of what is pushed."""
    waits: bool = False
    """Nothing is sent before something was heard: whoever has not shown that it is there could be anybody's victim."""
    peer: Peer = ANYBODY
    """Who may be heard and spoken to, whatever the SDP says."""
    wants_metrics: bool = False
    """It asks how it is heard: VoIP metrics (RFC 3611)."""
    timeout_s: float = MEDIA_TIMEOUT_S
    """Silence of the peer, once it was heard, that ends in `MediaTimedOut`."""
    timeout_initial_s: float = MEDIA_TIMEOUT_INITIAL_S
    """The same before anything was heard. On hold it is `MEDIA_TIMEOUT_HOLD_S`: many a phone sends nothing then,
    whatever it says, and its RTCP and its re-INVITEs are signs of life."""

    keys: Keys | None = None
    """By which keys of signalling the leg protects what passes; the session itself sees plain packets."""
    handshake: Handshake | None = None
    """How it makes its keys by DTLS. Without either it is plain."""

    @property
    def encryption(self) -> str:
        """How it is encrypted, as people are told; "" = not at all."""
        if self.handshake is not None:
            return "DTLS"
        return f"SDES {self.keys.profile.suite}" if self.keys is not None else ""

    @property
    def takes_digits(self) -> bool:
        """Whether the peer can be told of digits."""
        return self.keys_by_info or self.keys_by_tone or self.dtmf_send is not None

    @property
    def held(self) -> bool:
        """Whether either side has the call on hold."""
        return not (self.send and self.receive)
