"""What a call leaves behind: one line that says in words why it ended, and one JSON object for machines.

The switchboard fills a `CallRecord` while the call lives and hands it out once, when nothing of the call is left.
Field names follow LiveKit's SIPCallInfo where it has one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from runtime.media import emodel
from runtime.media.config import StreamConfig
from runtime.media.stats import Stats
from runtime.routing.dial import DialRequest
from runtime.routing.place import Placement
from runtime.routing.route import Admission
from runtime.sip.events import InviteReceived, InviteTurnedAway
from schemas.printable import printable
from schemas.tables.naming import masked


class EndedBy(StrEnum):
    """Who hung up."""

    CALLER = "caller"
    CALLEE = "callee"
    BRIDGE = "bridge"
    ROOM = "room"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call. Times are Unix seconds (0 = did not happen); `status` is the final SIP status of the INVITE."""

    call_id: str
    sip_call_id: str
    direction: str = "inbound"
    source: str = ""
    """The address on the other side: where an INVITE came from, or where ours went."""
    from_user: str = ""
    to_user: str = ""
    trunk: str = ""
    rule: str = ""
    room: str = ""
    identity: str = ""
    revision: int = 0
    region: str = ""
    codec: str = ""
    encryption: str = ""
    """How the phone leg is encrypted, as last agreed on: `SDES AES_CM_128_HMAC_SHA1_80`; "" = not at all."""
    created_at: float = 0.0
    answered_at: float = 0.0
    ended_at: float = 0.0
    status: int = 0
    sip_reason: str = ""
    """The words of a phone that would not take a call of ours: `Busy Here`."""
    peer_reason: str = ""
    """What the phone said about why, in its Reason header: `Q.850 17 User busy`."""
    reason: str = ""
    """Stable code: no-rule, hangup, media-timeout, cancelled …"""
    words: str = ""
    """The same for people."""
    ended_by: EndedBy = EndedBy.BRIDGE
    verstat: str = ""
    """What came of verifying the caller's number: TN-Validation-Passed …; "" = its trunk does not ask."""
    attestation: str = ""
    origid: str = ""
    """Of a SHAKEN PASSporT that holds: A, B or C, and where the call began."""
    verstat_words: str = ""
    """Why it is not verified, for people; or who vouches for it."""
    trail: tuple[str, ...] = ()
    hint: str = ""
    """What to change in a manifest, for a call that the tables refused."""
    packets_received: int = 0
    packets_sent: int = 0
    packets_lost: int = 0
    packets_rejected: int = 0
    """Of other sources than the one that is heard, or no RTP or RTCP at all."""
    packets_unauthentic: int = 0
    """On an encrypted leg: not made by the peer, or sent before."""
    packets_late: int = 0
    """Came after their moment had passed."""
    frames_concealed: int = 0
    """Ticks of 20 ms that were made up, because their audio was lost or late."""
    jitter_ms: float = 0.0
    rtt_ms: float | None = None
    """The round trip of the media, None where the peer sends no reports."""
    mos: float | None = None
    """How well the phone was heard (E-model), None where it was not."""
    mos_remote: float | None = None
    """How well it heard the bridge, None where it sends no reports."""
    recording: str = ""
    """The file that it was recorded in."""
    digits: int = 0
    """How many digits came in; which ones is nobody's business here."""

    @classmethod
    def begun(
        cls, call_id: str, event: InviteReceived | InviteTurnedAway, revision: int, region: str, now_wall: float
    ) -> CallRecord:
        """The record of a call of which only the INVITE is known."""
        sip_call_id = event.request.headers.first("Call-ID") or ""
        source = event.path.remote[0]
        return cls(call_id, sip_call_id, source=source, revision=revision, region=region, created_at=now_wall)

    @classmethod
    def placed(cls, call_id: str, placement: Placement, region: str, now_wall: float) -> CallRecord:
        """The record of a call of ours that is about to be made."""
        return cls(
            call_id,
            "",
            direction="outbound",
            from_user=placement.caller,
            to_user=placement.called,
            trunk=placement.trunk.id,
            room=placement.room,
            identity=placement.identity,
            revision=placement.revision,
            region=region,
            created_at=now_wall,
        )

    @classmethod
    def not_placed(cls, call_id: str, request: DialRequest, words: str, region: str, now_wall: float) -> CallRecord:
        """The record of a call of ours that was asked for and refused."""
        return cls(
            call_id,
            "",
            direction="outbound",
            from_user=request.caller,
            to_user=masked(request.call_to) if request.hide_number else request.call_to,
            trunk=request.trunk,
            room=request.room,
            region=region,
            created_at=now_wall,
        ).ended(now_wall, 0, "not-placed", words, EndedBy.BRIDGE)

    def admitted(self, admission: Admission, *, has_room: bool = True) -> CallRecord:
        """This record with who takes the call; no room yet while a PIN is asked for."""
        return replace(
            self,
            trunk=admission.trunk.id,
            rule=admission.rule,
            room=admission.room if has_room else "",
            identity=admission.identity if has_room else "",
            from_user=admission.caller,
        )

    def agreed(self, stream: StreamConfig) -> CallRecord:
        """This record with how its media flows."""
        return replace(self, codec=stream.codec.name, encryption=stream.encryption)

    def ended(self, now_wall: float, status: int, reason: str, words: str, by: EndedBy) -> CallRecord:
        """This record with its end written in."""
        return replace(self, ended_at=now_wall, status=status, reason=reason, words=words, ended_by=by)

    def measured(self, stats: Stats) -> CallRecord:
        """This record with what its media have counted."""
        return replace(
            self,
            packets_received=stats.received,
            packets_sent=stats.packets_sent,
            packets_lost=stats.lost,
            packets_rejected=stats.rejected_source + stats.malformed,
            packets_late=stats.late,
            frames_concealed=stats.frames_concealed,
            jitter_ms=stats.jitter_ms,
            rtt_ms=stats.rtt_ms,
            mos=stats.mos,
            mos_remote=stats.remote_mos,
        )

    def line(self) -> str:
        """One line for people: who called whom, what became of it, and why. Nothing in it steers a terminal."""
        return printable(self._line())

    def _line(self) -> str:
        where = f" room {self.room}" if self.room else ""
        via = f" by {self.rule}" if self.rule else ""
        if self.answered_at:
            lasted = max(0.0, self.ended_at - self.answered_at)
            by = "" if self.ended_by in self.words else f" (by the {self.ended_by})"
            return f"call {self._who()}{where}{via} ended after {lasted:.1f} s: {self.words}{by}{self._verified()}"
        if self.trunk and not self.rule and self.trunk not in self.words:
            via = f" on Trunk {self.trunk}"
        status = f", SIP {self.status}" if self.status else ""
        return f"call {self._who()}{where}{via} not answered{status}: {self.words}"

    def as_json(self) -> dict[str, Any]:
        """The record for machines; empty and zero fields stay in, so that every line has the same keys."""
        return {
            "formatVersion": 1,
            "callId": self.call_id,
            "sipCallId": self.sip_call_id,
            "direction": self.direction,
            "source": self.source,
            "from": self.from_user,
            "to": self.to_user,
            "trunk": self.trunk,
            "rule": self.rule,
            "room": self.room,
            "participantIdentity": self.identity,
            "revision": self.revision,
            "region": self.region,
            "audioCodec": self.codec,
            "mediaEncryption": self.encryption,
            "createdAt": round(self.created_at, 3),
            "answeredAt": round(self.answered_at, 3),
            "endedAt": round(self.ended_at, 3),
            "sipStatus": self.status,
            "sipReason": self.sip_reason,
            "peerReason": self.peer_reason,
            "reason": self.reason,
            "words": self.words,
            "endedBy": self.ended_by.value,
            "verstat": self.verstat,
            "attestation": self.attestation,
            "origId": self.origid,
            "verstatWords": self.verstat_words,
            "trail": list(self.trail),
            "hint": self.hint,
            "recording": self.recording,
            "media": {
                "packetsReceived": self.packets_received,
                "packetsSent": self.packets_sent,
                "packetsLost": self.packets_lost,
                "packetsRejected": self.packets_rejected,
                "packetsUnauthentic": self.packets_unauthentic,
                "packetsLate": self.packets_late,
                "framesConcealed": self.frames_concealed,
                "jitterMs": round(self.jitter_ms, 2),
                "rttMs": _rounded(self.rtt_ms, 1),
                "mos": _rounded(self.mos, 2),
                "mosRemote": _rounded(self.mos_remote, 2),
                "mosScale": emodel.CODECS[self.codec].scale if self.codec else "",
                "digits": self.digits,
            },
        }

    def _verified(self) -> str:
        if not self.verstat:
            return ""
        attested = f", attestation {self.attestation}" if self.attestation else ""
        return f" ({self.verstat}{attested}: {self.verstat_words})"

    def _who(self) -> str:
        way = "from" if self.direction == "inbound" else "at"
        where = f" {way} {self.source}" if self.source else ""
        return f"{self.from_user or '(no number)'} -> {self.to_user or '(no number)'}{where}"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
