"""`bridge dial`: have the bridge call a number and bring it into a room, through LiveKit's own client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.commands.livekit import PhoneSaidNoError, ask, duration_of, livekit_options, seconds_of, server_of
from runtime.commands.options import output_option, program, state_option, state_words
from runtime.errors import BridgeError

if TYPE_CHECKING:
    from livekit.api import LiveKitAPI
    from livekit.protocol.sip import CreateSIPParticipantRequest, SIPParticipantInfo

DIALLED_WITHIN_S = 40.0
"""Until the phone is being called; the bridge itself gives it 30 s, and half a second for each key after the answer."""
KEY_S = 0.5


@click.command()
@click.argument("number")
@click.option("--trunk", required=True, metavar="NAME", help="The Trunk to call through, by its name or id.")
@click.option("--room", required=True, help="The room that the phone comes into.")
@click.option("--wait", is_flag=True, help="Wait until it is answered, and tell why where it is not.")
@click.option(
    "--from", "caller", default="", metavar="NUMBER", help="The calling number.  [default: one of the trunk's]"
)
@click.option("--dtmf", default="", help="Keys to press after the answer, `w` waits half a second.")
@click.option("--identity", default="", help="Of the participant.  [default: sip_NUMBER]")
@livekit_options
@state_option
@output_option
def dial(
    number: str,
    trunk: str,
    room: str,
    caller: str,
    dtmf: str,
    identity: str,
    ringing_timeout: str,
    livekit_url: str,
    state: Path,
    output: str,
    *,
    wait: bool,
) -> None:
    """Call NUMBER through a trunk, into a room; the bridge needs --livekit-api.

    \b
    Example:
      bridge dial +15550109999 --trunk carrier --room lobby --wait
    """
    from livekit.protocol.sip import CreateSIPParticipantRequest

    rings_s = seconds_of(ringing_timeout)
    request = CreateSIPParticipantRequest(
        sip_trunk_id=trunk,
        sip_call_to=number,
        sip_number=caller,
        room_name=room,
        participant_identity=identity,
        dtmf=dtmf,
        ringing_timeout=duration_of(rings_s),
        wait_until_answered=wait,
    )
    try:
        told = _dialled(request, rings_s, livekit_url, state)
    except PhoneSaidNoError as fault:
        if output == "text":
            why = f"why: {program('bridge')} calls{state_words(state)}"
            raise BridgeError(f"{number} was not reached: {fault}", why) from fault
        click.echo(
            json.dumps({"formatVersion": 1, "answered": False, "sipStatus": fault.status, "reason": fault.reason})
        )
        raise click.exceptions.Exit(1) from fault
    if output == "json":
        click.echo(json.dumps(_as_json(told, answered=wait)))
        return
    done = "answered, and is in" if wait else "is being called, into"
    click.echo(f"{number} {done} room {told.room_name} as {told.participant_identity}")


def _dialled(request: CreateSIPParticipantRequest, rings_s: float, url: str, state: Path) -> SIPParticipantInfo:
    within_s = DIALLED_WITHIN_S + rings_s + KEY_S * len(request.dtmf)

    async def place(client: LiveKitAPI) -> SIPParticipantInfo:
        return await client.sip.create_sip_participant(request, timeout=within_s)

    hints = {
        "not_found": f"which trunks there are: {program('reconcile')} status{state_words(state)}",
        "invalid_argument": f"{program('bridge')} dial --help",
        "failed_precondition": f"what may be called is in the Trunk {request.sip_trunk_id}, under outbound",
    }
    return ask(server_of(url, state), place, hints)


def _as_json(told: SIPParticipantInfo, *, answered: bool) -> dict[str, object]:
    return {
        "formatVersion": 1,
        "answered": answered,
        "callId": told.sip_call_id,
        "room": told.room_name,
        "identity": told.participant_identity,
        "participantId": told.participant_id,
    }
