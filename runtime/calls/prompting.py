"""All callers that are being asked for a PIN: between the switchboard and each caller's dialogue.

A call is asked when its best rule has a PIN. It has been answered by then, has media and no room, and counts as a call
in every respect. A complete entry is decided by the very tables that the call came in by. What comes of a key, of a
prompt that was played or of the time is handed back as an `Outcome`, for the switchboard to carry out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from runtime.calls.commands import HushPrompt, PlayPrompt
from runtime.calls.pin_dialogue import Hush, Leave, PinDialogue, Play, Prompt, Step, Try
from runtime.calls.reasons import EndReason
from runtime.gate.pin_guesses import PinGuesses
from runtime.media.config import StreamConfig
from runtime.routing.route import Admission, PinAsked, Rejection
from schemas.tables.decisions import Reason
from schemas.tables.rows import PinPrompts

_GUESSED: Final = (Reason.WRONG_PIN, Reason.PIN_REQUIRED)
"""Refusals that another entry may turn; any other is the rule's own, and stays."""

Outcome = PlayPrompt | HushPrompt | Admission | Rejection
"""What to do with the call: two commands, a room to join, or the end."""


@dataclass(slots=True)
class _Asked:
    asked: PinAsked
    dialogue: PinDialogue
    refused: Rejection | None = None
    """What the last entry met, for the record."""


class Prompting:
    """One per bridge. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._callers: dict[str, _Asked] = {}
        self._guesses = PinGuesses()

    def refuses(self, asked: PinAsked, now: float) -> Rejection | None:
        """A caller that has guessed too often is not asked again, for some time; so are all of a trunk together."""
        arrival = asked.arrival
        spent_s = self._guesses.trunk_spent_s(asked.admission.trunk.id, now)
        wait_s = self._guesses.locked_s(arrival.source, arrival.caller, now)
        if wait_s:
            words = f"this caller entered too many wrong PINs, and may try again in {wait_s:.0f} s"
        elif spent_s:
            words = f"callers of this trunk entered too many wrong PINs; they may try again in {math.ceil(spent_s)} s"
        else:
            return None
        return _refusal(asked, 403, EndReason.PIN_LOCKED_OUT, words)

    def begin(self, call_id: str, asked: PinAsked, stream: StreamConfig, now: float) -> Outcome | None:
        """The caller can hear: ask it. Once for each call."""
        if not brings_keys(asked.admission, stream):
            return no_keys(asked.admission)
        found = self._callers[call_id] = _Asked(asked, PinDialogue())
        return self._outcome(call_id, found, found.dialogue.begin(now), now)

    def asks(self, call_id: str) -> bool:
        """Whether this call has been begun, and not forgotten."""
        return call_id in self._callers

    def key(self, call_id: str, key: str, now: float) -> Outcome | None:
        """A key that a caller pressed."""
        found = self._callers.get(call_id)
        return self._outcome(call_id, found, found.dialogue.key(key, now), now) if found is not None else None

    def played(self, call_id: str, now: float) -> Outcome | None:
        """A prompt has been played to its end."""
        found = self._callers.get(call_id)
        return self._outcome(call_id, found, found.dialogue.played(now), now) if found is not None else None

    def timer(self, now: float) -> list[tuple[str, Outcome]]:
        """What the time brings, by call."""
        stepped = [
            (call_id, self._outcome(call_id, found, found.dialogue.timer(now), now))
            for call_id, found in self._callers.items()
        ]
        return [(call_id, outcome) for call_id, outcome in stepped if outcome is not None]

    def forget(self, call_id: str) -> None:
        """The call has a room now, or is over."""
        self._callers.pop(call_id, None)

    def _outcome(self, call_id: str, found: _Asked, step: Step | None, now: float) -> Outcome | None:
        match step:
            case Play():
                return PlayPrompt(call_id, step.prompt, file_of(found.asked.rule.pin_prompts, step.prompt))
            case Hush():
                return HushPrompt(call_id)
            case Leave():
                refused = found.refused or _refusal(found.asked, 0, "", "")
                return replace(refused, code=step.reason, words=step.words)
            case Try():
                tried = self._try(found, step.pin, now)
                return self._outcome(call_id, found, tried, now) if isinstance(tried, Play) else tried
            case None:
                return None

    def _try(self, found: _Asked, pin: str, now: float) -> Play | Admission | Rejection:
        locked_out = self.refuses(found.asked, now)
        if locked_out is not None:  # by another call of the same caller, or of the same trunk
            found.refused = locked_out
            return found.dialogue.locked_out(now, locked_out.words)
        arrival, trunk = found.asked.arrival, found.asked.admission.trunk.id
        verdict = found.asked.enter(pin)
        if isinstance(verdict, Admission) or verdict.code not in _GUESSED:
            return verdict
        found.refused = verdict
        locked = bool(pin) and self._guesses.wrong(arrival.source, arrival.caller, trunk, now)
        return found.dialogue.wrong(now, entered=bool(pin), last=locked)


def _refusal(asked: PinAsked, sip_status: int, code: str, words: str) -> Rejection:
    admission = asked.admission
    return Rejection(
        sip_status,
        code,
        words,
        trunk=admission.trunk.id,
        rule=admission.rule,
        hides_caller=admission.hides_number,
    )


def brings_keys(admission: Admission, stream: StreamConfig) -> bool:
    """Whether the phone can tell us of keys."""
    return admission.info_digits or admission.inband_digits or stream.dtmf_receive is not None


def no_keys(admission: Admission) -> Rejection:
    """Nobody is asked for a PIN who cannot enter one."""
    words = "a PIN is asked for, and no telephone-event was agreed on that could bring it"
    return Rejection(488, EndReason.MEDIA, words, trunk=admission.trunk.id, rule=admission.rule)


def file_of(prompts: PinPrompts, prompt: Prompt) -> str:
    """The file that a rule names for a prompt; "" = the bridge's own."""
    match prompt:
        case Prompt.ASK:
            return prompts.ask
        case Prompt.WRONG:
            return prompts.wrong
        case Prompt.GOODBYE:
            return prompts.goodbye
