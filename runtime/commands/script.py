"""What `bridge call` and `bridge answer` share: what the phone says and presses, and what is told of what it heard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from runtime.commands.options import F
from runtime.errors import BridgeError
from runtime.media.codecs.codec import CODECS, PCMA, PCMU
from runtime.media.codecs.resampling import Resampler
from runtime.phone.heard import RATE_HZ, Heard, compare
from runtime.phone.outcome import Outcome
from runtime.phone.voice import Script
from runtime.rooms.files import WavWriter, load_sound
from runtime.sip.keying import WAYS, Way
from schemas.printable import printable

SENTENCES = Path(__file__).resolve().parents[1] / "phone"
DIGITS = frozenset("0123456789*#ABCDabcdw")


def script_options(command: F) -> F:
    """`--play`, `--record`, `--dtmf`, `--seconds`, `--codec` and `--encryption`."""
    file = click.Path(path_type=Path)
    for option in reversed(
        [
            click.option("--play", type=file, default=None, help="A WAV file to say.  [default: a sentence]"),
            click.option("--record", type=file, default=None, help="Save what was heard as a WAV file."),
            click.option("--dtmf", default="", help="Digits to send, `w` waits half a second."),
            click.option("--seconds", type=click.FloatRange(0, 3600), default=0.0,
                         help="Hang up after so long.  [default: when done]"),
            click.option("--codec", "codecs", type=click.Choice(list(CODECS)), multiple=True,
                         help="What it speaks; given again, the first is the best.  [default: pcmu, pcma]"),
            click.option("--encryption", type=click.Choice(WAYS), default=None,
                         help="Speak encrypted media alone, by keys in SDP or by a handshake.  [default: plain]"),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def script_of(
    play: Path | None,
    sentence: str,
    dtmf: str,
    seconds: float,
    codecs: tuple[str, ...],
    encryption: Way | None,
    *,
    repeats: bool = False,
) -> Script:
    """What the phone does; `sentence` is the file of ours that it says where it is given none."""
    if set(dtmf) - DIGITS:
        raise BridgeError(f"--dtmf {dtmf}: only 0-9 * # A-D and w can be sent", "e.g. --dtmf 123#")
    spoken = tuple(CODECS[name] for name in dict.fromkeys(codecs)) or (PCMU, PCMA)
    return Script(load_sound(play or SENTENCES / sentence), dtmf, seconds, repeats, spoken, encryption)


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a call, for people or for programs. `record`: where what was heard was saved, if it was."""

    outcome: Outcome
    heard: Heard
    record: Path | None = None

    def words(self, *, asked_for_pin: bool = False) -> None:
        """Say what was heard in a call that was answered; `asked_for_pin`: other sound may have been a prompt."""
        outcome, heard = self.outcome, self.heard
        saved = f", saved to {self.record}" if self.record is not None else ""
        click.echo(click.style(f"{heard.words}{saved}", fg="green" if heard.delay_s is not None else None))
        if heard.is_other and asked_for_pin:
            click.echo('  perhaps a prompt that asks for a PIN: try --dtmf "PIN#"')
        if outcome.encryption:
            click.echo(f"media encrypted: {outcome.encryption}")
        if outcome.digits:
            click.echo(f"digits received: {outcome.digits}")
        if outcome.referral is not None:
            done = "sent on to" if outcome.referral.accepted else "declined to be sent on to"
            click.echo(f"{done} {printable(outcome.referral.to)}")
        if outcome.ended_by_peer:
            click.echo("the other side hung up")

    def as_json(self) -> dict[str, Any]:
        """The keys that mean the same whoever called."""
        outcome, heard = self.outcome, self.heard
        referral = outcome.referral
        return {
            "answered": outcome.answered,
            "sipStatus": outcome.status,
            "reason": outcome.reason,
            "heard": heard.words if outcome.answered else "",
            "echoDelayS": heard.delay_s,
            "fit": round(heard.fit, 3),
            "heardS": round(heard.heard_s, 2),
            "loudS": round(heard.loud_s, 2),
            "codec": outcome.codec,
            "mediaEncryption": outcome.encryption,
            "digits": outcome.digits,
            "transfer": None if referral is None else {"to": referral.to, "accepted": referral.accepted},
            "endedByPeer": outcome.ended_by_peer,
            "packetsReceived": outcome.packets_received,
            "packetsLost": outcome.packets_lost,
            "record": str(self.record) if self.record is not None else None,
        }


def report_of(outcome: Outcome, script: Script, record: Path | None) -> Report:
    """What is told of a call that went by `script`; what was heard is saved to `record`."""
    spoken = script.frames.linear(RATE_HZ)
    heard = compare(spoken, _as_a_phone(outcome), outcome.spoke_after_s, script.period_s)
    if record is None or not outcome.answered:
        return Report(outcome, heard)
    _save(record, bytes(outcome.heard), outcome.heard_hz)
    return Report(outcome, heard, record)


def not_answered(outcome: Outcome) -> str:
    """Why there was no conversation: the status, what a server said of it, or our own words."""
    status = f"{outcome.status} {outcome.reason}" if outcome.status else outcome.reason or "no answer"
    return printable(f"{status}: {outcome.warning}" if outcome.warning else status)


def _as_a_phone(outcome: Outcome) -> bytes:
    """What was heard, as far as a phone of 8 kHz carries it: that is what is looked for in it."""
    heard = bytes(outcome.heard)
    if outcome.heard_hz == RATE_HZ or not heard:
        return heard
    return Resampler(outcome.heard_hz, RATE_HZ, len(heard) // 2 + 1).resample(heard)


def _save(path: Path, pcm: bytes, rate_hz: int) -> None:
    try:
        writer = WavWriter(path, rate_hz)
    except OSError as fault:
        raise BridgeError(f"cannot write {path}: {fault.strerror}", "name another: --record FILE") from fault
    writer.write(pcm)
    writer.close()
