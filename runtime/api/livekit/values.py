"""CORE. Values of a request, refused by their name where they are not what they should be: what all methods share.

None that could become part of a SIP message may hold a line break or a NUL: a CR or LF in a number, a header or a name
would let a caller of the API write headers of its own. Refused as a whole, whichever method it is: nothing is cleaned
silently. Free text (metadata, attributes) may have lines; the bridge looks at an attribute again when it makes a header
of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from runtime.api.livekit.twirp import Code, TwirpError

_FREE_TEXT = frozenset(
    {"metadata", "participant_metadata", "attributes", "participant_attributes", "room_config", "auth_password"}
)
_FORBIDDEN = frozenset("\r\n\0")


def check_values(request: Message) -> None:
    """Raise TwirpError when a value that may become a header could break out of it."""
    for path, text in _texts(request, ""):
        if not _FORBIDDEN.isdisjoint(text):
            what = f"{path} must not contain a line break or a NUL"
            raise TwirpError(Code.INVALID_ARGUMENT, what, argument=path)


def invalid(argument: str, words: str) -> TwirpError:
    """The refusal of one field; `words` follow its name."""
    return TwirpError(Code.INVALID_ARGUMENT, f"{argument} {words}", argument=argument)


def need(request: Message, *fields: str) -> None:
    """Raise TwirpError unless these texts are there."""
    for field in fields:
        if not getattr(request, field):
            raise invalid(field, "is required")


def within(text: str, bytes_max: int, argument: str) -> str:
    """`text`, unless it is longer, as UTF-8, than LiveKit takes it."""
    if len(text.encode()) > bytes_max:
        raise invalid(argument, f"is longer than {bytes_max} bytes")
    return text


def name_within(text: str, bytes_max: int, argument: str) -> str:
    """The same of a name that logs and records show: it must not steer a terminal."""
    if not text.isprintable():
        raise invalid(argument, "must not contain a control character, or another that cannot be printed")
    return within(text, bytes_max, argument)


def seconds(duration: Duration, argument: str) -> float:
    """A duration, 0 where none is set."""
    length_s = duration.seconds + duration.nanos / 1e9
    if length_s < 0:
        raise invalid(argument, "must not be negative")
    return length_s


def _texts(message: Message, path: str) -> Iterator[tuple[str, str]]:
    """Every text in a message with its path, the keys of maps among them."""
    for field, value in message.ListFields():
        if field.name not in _FREE_TEXT:
            yield from _texts_of(value, f"{path}{field.name}")


def _texts_of(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Message):
        yield from _texts(value, f"{path}.")
    elif isinstance(value, Mapping):
        for key, held in value.items():
            yield from _texts_of(key, path)
            yield from _texts_of(held, path)
    elif not isinstance(value, bytes) and hasattr(value, "__iter__"):
        for held in value:
            yield from _texts_of(held, path)
