"""EDGE. The way in for whatever a LiveKit server answers: livekit-api's session, bounded and believed in nothing.

A server may be another one than was meant, or be taken over. Its redirects are not followed, since a request holds
passwords; its answers are read up to a bound, counted as they are unpacked; its errors become one short line.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from reconciler.plan.visible import heard

ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""Unpacked. A hundred thousand trunks have room in it."""
ERROR_BYTES_MAX = 64 * 1024
ERROR_CHARS_MAX = 300
CHUNK_BYTES = 64 * 1024
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_CODE = re.compile(r"[a-z_]{1,32}")


class UnfitAnswer(aiohttp.ClientError):
    """An answer that no LiveKit server gives; asking again would not make it better."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer, read whole. What livekit-api asks of a response."""

    status: int
    body: bytes

    async def read(self) -> bytes:
        """The body, unpacked."""
        return self.body

    async def json(self) -> dict[str, str]:
        """Twirp's error: its code and its message, cleaned. {} of what is none."""
        said = json.loads(self.body)
        if not isinstance(said, dict):
            return {}
        code = str(said.get("code"))
        return {"code": code if _CODE.fullmatch(code) else "unknown", "msg": heard(said.get("msg"), ERROR_CHARS_MAX)}


class Door:
    """Stands in for the `aiohttp.ClientSession` that livekit-api posts with. To be closed."""

    def __init__(self, timeout: aiohttp.ClientTimeout, traces: aiohttp.TraceConfig) -> None:
        accepted = {"Accept-Encoding": "gzip"}
        self._session = aiohttp.ClientSession(
            timeout=timeout, trace_configs=[traces], auto_decompress=False, headers=accepted
        )

    @property
    def timeout(self) -> aiohttp.ClientTimeout:
        """That of each call."""
        return self._session.timeout

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    @asynccontextmanager
    async def post(self, url: str, *, headers: Mapping[str, str], data: bytes, **_: Any) -> AsyncIterator[Heard]:
        """One request. Raises aiohttp.ClientError, among them UnfitAnswer."""
        async with self._session.post(url, headers=headers, data=data, allow_redirects=False) as response:
            if 300 <= response.status < 400:
                what = f"it sends us elsewhere ({response.status}), and requests hold passwords: name the server itself"
                raise UnfitAnswer(what)
            bytes_max = ANSWER_BYTES_MAX if response.status == 200 else ERROR_BYTES_MAX
            try:
                body = await _unpacked(response, bytes_max)
            except UnfitAnswer:
                if response.status == 200:
                    raise
                body = b""
            yield Heard(response.status, body)


async def _unpacked(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    """The body. A packed one is unpacked only as far as it may be long."""
    packing = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in ("", "identity", "gzip", "deflate"):
        raise UnfitAnswer("its answer is packed in a way that was not asked for")
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB) if packing in ("gzip", "deflate") else None
    body = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        try:
            body += unpacker.decompress(chunk, bytes_max + 1 - len(body)) if unpacker is not None else chunk
        except zlib.error as error:
            raise UnfitAnswer("its answer cannot be unpacked") from error
        if len(body) > bytes_max:
            raise UnfitAnswer(f"its answer has more than {bytes_max >> 20} MiB")
    if unpacker is not None and not unpacker.eof:
        raise UnfitAnswer("its answer breaks off")
    return bytes(body)
