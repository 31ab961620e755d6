"""Agents of LiveKit's own client, one in each of these rooms, all talking in Opus: the other side of a bench.

python -m tests.bench.room_agents URL WAV ROOM TOKEN [ROOM TOKEN …]      prints `ready`, ends with its input
"""

from __future__ import annotations

import asyncio
import sys
import wave

from livekit import rtc

RATE = 48_000


async def agent(url: str, token: str, pcm: bytes, rate: int) -> rtc.Room:
    """Join and talk for ever."""
    room = rtc.Room()
    await room.connect(url, token)
    source = rtc.AudioSource(rate, 1)
    track = rtc.LocalAudioTrack.create_audio_track("voice", source)
    await room.local_participant.publish_track(track, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE))
    asyncio.get_running_loop().create_task(talk(source, pcm, rate)).add_done_callback(lambda _: None)
    return room


async def talk(source: rtc.AudioSource, pcm: bytes, rate: int) -> None:
    """Frames of 100 ms, over and over."""
    step = rate // 10 * 2
    while True:
        for at in range(0, len(pcm) - step, step):
            await source.capture_frame(rtc.AudioFrame(pcm[at : at + step], rate, 1, step // 2))


async def main(url: str, path: str, *tokens: str) -> None:
    """See the module."""
    with wave.open(path) as file:
        pcm, rate = file.readframes(file.getnframes()), file.getframerate()
    rooms = [await agent(url, token, pcm, rate) for token in tokens]
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for room in rooms:
        await room.disconnect()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
