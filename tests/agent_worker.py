"""A receptionist on LiveKit's agents framework: a program that tests start as its users do.

    python tests/agent_worker.py start      by a Python that has livekit-agents; LIVEKIT_URL and keys in the environment

It uses nothing of an agent but its ears and its mouth: no model, no plugin, no cloud. The metadata of its dispatch is
JSON: `say`, a WAV file that it repeats, `heard`, where it writes at the end what it heard, and `seconds`, after which
it ends the call. Each key of its caller is answered with a 9. What happens comes out as lines of JSON with an `event`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import wave
from collections.abc import Coroutine
from typing import Any

from livekit import agents, rtc

RATE = 8000


def say(event: str, **fields: Any) -> None:
    """One line."""
    print(json.dumps({"event": event, **fields}), flush=True)


async def receive(ctx: agents.JobContext) -> None:
    """One job: a caller, from its arrival in the room to its departure."""
    told = json.loads(ctx.job.metadata)
    gone = asyncio.Event()
    ctx.room.on("participant_disconnected", lambda _: gone.set())
    ctx.room.on("participant_attributes_changed", lambda changed, _: say("attributes", changed=changed))
    await ctx.connect()
    caller = await ctx.wait_for_participant(kind=rtc.ParticipantKind.PARTICIPANT_KIND_SIP)
    say(
        "caller",
        identity=caller.identity,
        kind=caller.kind,
        name=caller.name,
        metadata=caller.metadata,
        attributes=dict(caller.attributes),
    )
    work = [asyncio.create_task(c) for c in (keys(ctx), speak(ctx, told["say"]), listen(caller, told["heard"]))]
    try:
        await asyncio.wait_for(gone.wait(), told["seconds"])
    except TimeoutError:
        await end(ctx, caller)
        await gone.wait()
    for task in work:
        task.cancel()
    for fault in await asyncio.gather(*work, return_exceptions=True):
        if not isinstance(fault, asyncio.CancelledError):
            say("fault", words=repr(fault))
    ctx.shutdown()
    say("done")


async def speak(ctx: agents.JobContext, path: str) -> None:
    """Say what a WAV file holds, again and again."""
    with wave.open(path) as file:
        pcm, rate = file.readframes(file.getnframes()), file.getframerate()
    source = rtc.AudioSource(rate, 1)
    track = rtc.LocalAudioTrack.create_audio_track("voice", source)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    await ctx.room.local_participant.publish_track(track, options)
    step = rate // 50 * 2
    while True:
        for at in range(0, len(pcm) - step, step):
            await source.capture_frame(rtc.AudioFrame(pcm[at : at + step], rate, 1, step // 2))


async def listen(caller: rtc.RemoteParticipant, path: str) -> None:
    """Write down what the caller says until that is cancelled."""
    heard = bytearray()
    stream = rtc.AudioStream.from_participant(
        participant=caller, track_source=rtc.TrackSource.SOURCE_MICROPHONE, sample_rate=RATE, num_channels=1
    )
    try:
        async for event in stream:
            if not heard:
                [publication] = caller.track_publications.values()
                say("hears", mime=publication.mime_type)
            heard += bytes(event.frame.data)
    finally:
        with wave.open(path, "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(bytes(heard))


def keys(ctx: agents.JobContext) -> Coroutine[Any, Any, None]:
    """Answer each key of the caller, from now on, with a 9."""
    pressed: asyncio.Queue[str] = asyncio.Queue()
    ctx.room.on("sip_dtmf_received", lambda dtmf: pressed.put_nowait(dtmf.digit))

    async def answer() -> None:
        while True:
            say("key", digit=await pressed.get())
            await ctx.room.local_participant.publish_dtmf(code=9, digit="9")

    return answer()


async def end(ctx: agents.JobContext, caller: rtc.RemoteParticipant) -> None:
    """Hang up on the caller."""
    try:
        me = ctx.room.local_participant
        answer = await me.perform_rpc(destination_identity=caller.identity, method="lk.sip.EndCall", payload="{}")
        say("ended", answer=answer)
    except rtc.RpcError as fault:
        say("ended", error=fault.message, code=fault.code)


def main() -> None:
    """One process, kept warm; how busy the machine is keeps it from no job."""
    server = agents.AgentServer(host="127.0.0.1", port=0, num_idle_processes=1, load_fnc=lambda: 0.0)
    server.rtc_session(receive, agent_name="receptionist")
    server.on("worker_registered", lambda *_: say("registered"))
    agents.cli.run_app(server)


if __name__ == "__main__":
    sys.exit(main())
