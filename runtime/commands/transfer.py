"""`bridge transfer`: have the bridge send a phone on to another number, through LiveKit's own client."""

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
    from livekit.protocol.sip import TransferSIPParticipantResponse

SETTLED_AFTER_S = 10.0
"""How much longer than the other number may ring the bridge may take to tell."""


@click.command()
@click.argument("target", metavar="sip:…|tel:…")
@click.option("--room", required=True, help="The room that the phone is in.")
@click.option(
    "--identity", required=True, metavar="ID", help="The participant that the phone is, sip_NUMBER as a rule."
)
@livekit_options
@state_option
@output_option
def transfer(
    target: str, room: str, identity: str, ringing_timeout: str, livekit_url: str, state: Path, output: str
) -> None:
    """Send a phone that is in a room on to another number; the bridge needs --livekit-api.

    \b
    Example:
      bridge transfer --room lobby --identity sip_+15550109999 tel:+15550105555
      bridge transfer --room lobby --identity sip_+15550109999 sip:help@sip.example.com
    """
    from livekit.protocol.sip import STS_TRANSFER_FAILED, TransferSIPParticipantRequest

    rings_s = seconds_of(ringing_timeout)
    request = TransferSIPParticipantRequest(
        room_name=room, participant_identity=identity, transfer_to=target, ringing_timeout=duration_of(rings_s)
    )

    async def send_on(client: LiveKitAPI) -> TransferSIPParticipantResponse:
        return await client.sip.transfer_sip_participant(request, timeout=rings_s + SETTLED_AFTER_S)

    who = f"{program('bridge')} calls{state_words(state)}"
    hints = {
        "not_found": f"who is there: {who}",
        "invalid_argument": "write it like tel:+15550105555 or sip:help@sip.example.com",
        "failed_precondition": f"how the call stands: {who}",
    }
    try:
        told = ask(server_of(livekit_url, state), send_on, hints)
    except PhoneSaidNoError as fault:
        if output == "text":
            raise BridgeError(f"{identity} was not sent on: {fault}", f"its call goes on as before: {who}") from fault
        click.echo(json.dumps(_as_json(False, fault.status, fault.reason)))
        raise click.exceptions.Exit(1) from fault
    if told.status == STS_TRANSFER_FAILED:  # no error of its own, by another server than the bridge
        raise BridgeError(f"{identity} was not sent on to {target}", f"its call goes on as before: {who}")
    if output == "json":
        click.echo(json.dumps(_as_json(True, told.sip_status.code, told.sip_status.status)))
        return
    click.echo(f"{identity} was sent on to {target}")


def _as_json(transferred: bool, status: int, reason: str) -> dict[str, object]:
    return {"formatVersion": 1, "transferred": transferred, "sipStatus": status, "reason": reason}
