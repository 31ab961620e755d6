"""Shutting a UDP socket to all but a few senders, in the kernel, while somebody floods it.

What the bridge refuses by itself has already taken a place in the socket's buffer: beyond some 3,000 packets a second
those of the real sender find none. A classic BPF program on the socket (`SO_ATTACH_FILTER`, for which no rights are
needed) drops strangers' packets before that. Called by the phone legs when a flood is seen. Where the system is not
Linux nothing happens, and the flood has its effect.
"""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterable

_SO_ATTACH_FILTER = 26
_SO_DETACH_FILTER = 27
_LOAD_WORD, _LOAD_HALF, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x28, 0x15, 0x06
_NETWORK_HEADER = 0x100000000 - 0x100000
"""SKF_NET_OFF: what is loaded from here on is the IP header; from 0 on, the UDP header."""
_SOURCE_AT = {4: 12, 6: 8}
_WHOLE = 0xFFFF
_INSTRUCTION = struct.Struct("=HBBI")


def admit_only(sock: socket.socket, senders: Iterable[tuple[str, int]]) -> bool:
    """Drop every packet that comes from elsewhere, until `admit_all`; False where that cannot be done."""
    program = [instruction for sender in senders for instruction in _admitting(*sender)]
    if sys.platform != "linux" or not program:
        return False
    code = b"".join(_INSTRUCTION.pack(*instruction) for instruction in (*program, (_RETURN, 0, 0, 0)))
    kept = ctypes.create_string_buffer(code, len(code))
    try:
        sock.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program) + 1, ctypes.addressof(kept))
        )
    except OSError:
        return False
    return True


def admit_all(sock: socket.socket) -> None:
    """Take packets of anybody again."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
    except OSError:
        pass  # there was none


def _admitting(host: str, port: int) -> list[tuple[int, int, int, int]]:
    """Return "whole" for a packet of this sender, else go on behind these instructions: (code, if, else, operand)."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return []
    words = struct.unpack(f"!{len(address.packed) // 4}I", address.packed)
    fields = [(_LOAD_WORD, _NETWORK_HEADER + _SOURCE_AT[address.version] + 4 * n, word) for n, word in enumerate(words)]
    fields.append((_LOAD_HALF, 0, port))
    program: list[tuple[int, int, int, int]] = []
    for number, (load, offset, wanted) in enumerate(fields):
        behind = 2 * (len(fields) - number) - 1
        program += [(load, 0, 0, offset), (_JUMP_IF_EQUAL, 0, behind, wanted)]
    return [*program, (_RETURN, 0, 0, _WHOLE)]
