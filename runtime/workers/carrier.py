"""Carries out what the switchboard orders: on the phones' legs, in the rooms, for whoever waits. It decides nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from runtime.calls.commands import (
    Command,
    DialSettled,
    EndCall,
    ExpectAnswers,
    FetchCertificate,
    FindWays,
    HoldSettled,
    HushPrompt,
    JoinRoom,
    OpenLeg,
    PassDigit,
    PassMessage,
    PlayMusic,
    PlayPrompt,
    PressKeys,
    RingPhone,
    SetAttributes,
    ShowHeaders,
    StartMedia,
    StartRecording,
    TransferSettled,
    TrustSource,
)
from runtime.calls.record import CallRecord
from runtime.gate.sources import SourceGate
from runtime.media.tones import RingingTone
from runtime.net.certificates import Certificates
from runtime.net.rtp_ports import RtpPorts
from runtime.rooms.adapter import Rooms, participant_of
from runtime.rooms.booth import Booth
from runtime.rooms.music import Music
from runtime.rooms.prompts import Prompts
from runtime.stir.signer import Signer
from runtime.stir.verdict import Refusal
from runtime.workers.control import CallControl
from runtime.workers.legs import PhoneLeg, PhoneLegs, new_session
from runtime.workers.noise import NoiseFilters
from runtime.workers.recordings import Recordings

OnLeg = OpenLeg | StartMedia | PressKeys | RingPhone | PlayPrompt | HushPrompt | PlayMusic | StartRecording
InRoom = JoinRoom | PassDigit | PassMessage | SetAttributes | ShowHeaders


@dataclass(frozen=True, slots=True)
class Carrier:
    """One per worker; `on_record` is told of every call that ended, `certificate_found` of what calls wait for."""

    legs: PhoneLegs
    rooms: Rooms
    booth: Booth
    prompts: Prompts
    noise: NoiseFilters
    recordings: Recordings
    gate: SourceGate
    control: CallControl
    certificates: Certificates
    certificate_found: Callable[[str, Signer | Refusal], None]
    on_record: Callable[[CallRecord], None]

    def carry_out(self, command: Command) -> None:
        """Do it now."""
        match command:
            case OpenLeg() | StartMedia() | PressKeys():
                self._on_leg(command)
            case RingPhone() | PlayPrompt() | HushPrompt() | PlayMusic() | StartRecording():
                self._on_leg(command)
            case JoinRoom() | PassDigit() | PassMessage() | SetAttributes() | ShowHeaders():
                self._in_room(command)
            case TrustSource():
                self.gate.trust(command.address, time.monotonic())
            case ExpectAnswers():
                self.gate.expect(command.address, time.monotonic())
            case FindWays():
                self.control.find_ways(command.call_id, command.placement)
            case FetchCertificate():
                self.certificates.find(command.place, partial(self.certificate_found, command.call_id))
            case HoldSettled():
                self.control.hold_settled(command.call_id, command.held, command.failure)
            case DialSettled():
                self.control.dial_settled(command.call_id, command.outcome)
            case TransferSettled():
                self.control.transfer_settled(command.outcome)
            case EndCall():
                self._end(command)

    def _on_leg(self, command: OnLeg) -> None:
        if isinstance(command, OpenLeg):
            assert isinstance(command.ports, RtpPorts)
            self.legs.add(PhoneLeg(command.call_id, command.ports, command.codec, rings=command.rings))
            return
        leg = self.legs.get(command.call_id)
        if leg is None:
            return
        match command:
            case StartMedia():
                leg.start(command.stream, new_session, time.monotonic())
                self._keep_clean(leg)
            case PressKeys():
                leg.send_digits(command.digits, time.monotonic())
            case RingPhone():
                leg.sound.ringing = RingingTone(command.tone) if command.tone else None
            case PlayPrompt():
                self.booth.play(command.call_id, leg, self.prompts.fetch(command.prompt, command.file))
            case HushPrompt():
                self.booth.hush(command.call_id)
            case PlayMusic():
                leg.sound.music = Music(self.prompts.music(command.music)) if command.music else None
            case StartRecording():
                rate_hz = leg.codec.rate_hz
                leg.sound.recorder = self.recordings.begin(command.call_id, command.file, command.recording, rate_hz)

    def _in_room(self, command: InRoom) -> None:
        match command:
            case JoinRoom():
                leg = self.legs.get(command.call_id)
                assert leg is not None, "a leg is opened before its call joins"
                self.booth.leave(command.call_id)
                if command.orders.sound.cleaned:
                    self._clean(leg)
                self.rooms.join(command.orders.room, participant_of(command), leg, time.monotonic())
            case PassDigit():
                self.rooms.digit(command.call_id, command.digit, time.monotonic())
            case PassMessage():
                self.rooms.message(command.call_id, command.method, command.content_type, command.body)
            case SetAttributes():
                self.rooms.set_attributes(command.call_id, command.changes)
            case ShowHeaders():
                self.rooms.show_headers(command.call_id, command.headers)

    def _clean(self, leg: PhoneLeg) -> None:
        """Take noise out of what this phone says, as soon as there is a filter for it."""
        rate_hz = leg.sound.cleaned_at = leg.codec.rate_hz
        self.noise.order(rate_hz, leg.sound.clean_by)

    def _keep_clean(self, leg: PhoneLeg) -> None:
        """The phone may speak at another rate now."""
        if leg.sound.cleaned_at not in (0, leg.codec.rate_hz):
            self._clean(leg)

    def _end(self, command: EndCall) -> None:
        record = command.record
        self.rooms.leave(record.call_id, record.reason)
        self.booth.leave(record.call_id)
        leg = self.legs.remove(record.call_id)
        if leg is not None:
            stats = leg.close(time.monotonic(), time.time())
            if stats is not None:
                encryption = leg.shield.encryption if leg.shield is not None else ""
                record = replace(record.measured(stats), packets_unauthentic=leg.unauthentic, encryption=encryption)
        elif command.ports is not None:
            command.ports.close()
        self.on_record(record)
