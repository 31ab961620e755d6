"""A participant of a LiveKit room, by LiveKit's own client: a program that tests drive by lines of JSON.

    python -m tests.room_client URL TOKEN [--play FILE.wav]

What happens in the room comes out as lines (`joined`, `participant`, `attributes`, `left`, `track`, `data`, `dtmf`,
`disconnected`); commands go in: `heard` (write what was heard of an identity to a WAV file), `dtmf`, `rpc`, `quit`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import wave
from pathlib import Path
from typing import Any

from livekit import api, rtc

RATE = 48_000
FRAME = RATE // 100


def say(event: str, **fields: Any) -> None:
    """One line."""
    print(json.dumps({"event": event, **fields}), flush=True)


class Client:
    """One participant."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.heard: dict[str, bytearray] = {}
        self.tasks: set[asyncio.Task[Any]] = set()
        self.room.on("participant_connected", self.on_participant)
        self.room.on("participant_disconnected", lambda p: say("left", identity=p.identity, reason=p.disconnect_reason))
        self.room.on("participant_attributes_changed", self.on_attributes)
        self.room.on("track_subscribed", self.on_track)
        self.room.on("track_published", lambda pub, p: say("published", identity=p.identity, mime=pub.mime_type))
        self.room.on(
            "sip_dtmf_received", lambda d: say("dtmf", digit=d.digit, code=d.code, identity=d.participant.identity)
        )
        self.room.on("data_received", lambda d: say("data", topic=d.topic, text=d.data.decode()))
        self.room.on("track_muted", lambda p, _: say("muted", identity=p.identity))
        self.room.on("disconnected", lambda reason: say("disconnected", reason=reason))

    def keep(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def on_participant(self, p: rtc.RemoteParticipant) -> None:
        say(
            "participant",
            identity=p.identity,
            name=p.name,
            kind=p.kind,
            metadata=p.metadata,
            attributes=dict(p.attributes),
        )

    def on_attributes(self, changed: dict[str, str], p: rtc.Participant) -> None:
        say("attributes", identity=p.identity, changed=changed, attributes=dict(p.attributes))

    def on_track(self, track: rtc.Track, publication: rtc.RemoteTrackPublication, p: rtc.RemoteParticipant) -> None:
        say("track", identity=p.identity, name=publication.name, mime=publication.mime_type)
        self.keep(self.listen(track, p.identity))

    async def listen(self, track: rtc.Track, identity: str) -> None:
        stream = rtc.AudioStream(track, sample_rate=8000, num_channels=1)
        heard = self.heard.setdefault(identity, bytearray())
        async for event in stream:
            heard += bytes(event.frame.data)

    async def play(self, path: Path) -> None:
        with wave.open(str(path)) as file:
            pcm, rate = file.readframes(file.getnframes()), file.getframerate()
        source = rtc.AudioSource(rate, 1)
        track = rtc.LocalAudioTrack.create_audio_track("voice", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self.room.local_participant.publish_track(track, options)
        say("publishing")
        step = rate // 50 * 2
        while True:
            for at in range(0, len(pcm) - step, step):
                await source.capture_frame(rtc.AudioFrame(pcm[at : at + step], rate, 1, step // 2))

    async def obey(self, command: dict[str, Any]) -> None:
        me = self.room.local_participant
        match command["do"]:
            case "heard":
                with wave.open(command["path"], "wb") as file:
                    file.setparams((1, 2, 8000, 0, "NONE", ""))
                    file.writeframes(bytes(self.heard.get(command["identity"], b"")))
                say("written", path=command["path"])
            case "remove" | "delete" | "mute" | "attributes":
                await self.administer(command)
            case "dtmf":
                await me.publish_dtmf(code=command.get("code", 0), digit=command["digit"])
            case "data":
                await me.publish_data(bytes.fromhex(command["hex"]))
            case "rpc":
                try:
                    answer = await me.perform_rpc(
                        destination_identity=command["to"], method=command["method"], payload=command["payload"]
                    )
                    say("rpc", answer=answer)
                except rtc.RpcError as fault:
                    say("rpc", error=fault.message, code=fault.code)

    async def administer(self, command: dict[str, Any]) -> None:
        """What an application does with its API key."""
        room, identity = command["room"], command["identity"]
        async with api.LiveKitAPI() as server:
            match command["do"]:
                case "remove":
                    await server.room.remove_participant(api.RoomParticipantIdentity(room=room, identity=identity))
                case "delete":
                    await server.room.delete_room(api.DeleteRoomRequest(room=room))
                case "mute":
                    [track] = self.room.remote_participants[identity].track_publications.values()
                    mute = api.MuteRoomTrackRequest(room=room, identity=identity, track_sid=track.sid, muted=True)
                    await server.room.mute_published_track(mute)
                case "attributes":
                    attributes = command["attributes"]
                    await server.room.update_participant(
                        api.UpdateParticipantRequest(room=room, identity=identity, attributes=attributes)
                    )


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--play", type=Path)
    options = parser.parse_args()
    client = Client()
    await client.room.connect(options.url, options.token)
    say("joined", sid=client.room.local_participant.sid)
    for participant in client.room.remote_participants.values():
        client.on_participant(participant)
    if options.play:
        client.keep(client.play(options.play))
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        if command["do"] == "quit":
            break
        client.keep(client.obey(command))
    await client.room.disconnect()


if __name__ == "__main__":
    asyncio.run(main())
