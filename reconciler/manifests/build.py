"""The text of one YAML document -> plain dicts, lists and scalars, with everything that is wrong with it.

Works on the events of PyYAML's C parser instead of its nodes: half the time, no recursion (a thousand nested brackets
are a complaint, not a crash), and what was read before a syntax error stays readable. Called by `located` for each
document; positions are not kept here, `places` finds them again for the few documents that need them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from yaml._yaml import CParser
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from reconciler.manifests.masking import names_a_secret
from reconciler.manifests.scalars import Scalar, is_unquoted_phone, resolve
from reconciler.manifests.wording import explain_syntax
from schemas.resources.values import shown

DEPTH_MAX = 64
"""Levels of nesting; manifests use seven."""
NODES_MAX = 100_000
"""Values of one document once its aliases are written out; of an aliased string, each 32 characters count as one.

Of these, aliases make no more than the document has characters: so what is read grows with the size of the files
alone, however many documents and files there are.
"""
FLAWS_MAX = 100
"""After so many complaints the rest of the document is not read."""

Path = tuple[str | int, ...]

_NO_KEY = object()
_STRING_TAGS = ("!", "tag:yaml.org,2002:str")
_CHARS_PER_NODE = 32


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong with the text; line and column from 1, within the document's own text."""

    line: int
    column: int
    path: Path
    what: str
    hint: str
    code: str


@dataclass(slots=True)
class Built:
    """What a text holds. `complete` False: `data` is only a part of what was meant. `empty`: there is no document."""

    data: Any = None
    empty: bool = True
    complete: bool = True
    flaws: list[Flaw] = field(default_factory=list)


class _Stopped(Exception):  # noqa: N818 - ends the reading of one document, never leaves this module
    """The rest cannot be read; the flaw that says why is already noted."""


def build(text: str) -> Built:
    """Read the one document in `text`. Never raises for what the text says."""
    builder = _Builder(len(text))
    built = builder.built
    parser = CParser(text)
    try:
        builder.read(parser.get_event)
    except _Stopped:
        built.complete = False
    except YAMLError as error:
        built.empty = built.complete = False
        marked = error if isinstance(error, MarkedYAMLError) else None
        fault = explain_syntax(text, marked)
        built.flaws.append(Flaw(fault.line, fault.column, builder.path(), fault.what, fault.hint, fault.code))
    finally:
        parser.dispose()
    built.data = builder.root[0] if builder.root else None
    return built


class _Builder:
    """The open containers from the outside in, each with the key that waits for its value."""

    def __init__(self, chars: int) -> None:
        self.built = Built()
        self.root: list[Any] = []
        self.stack: list[tuple[Any, Any]] = []
        self.node: Any = self.root
        self.key: Any = _NO_KEY
        self.anchors: dict[str, Any] = {}
        self.nodes_left = NODES_MAX
        self.copies_left = self.copies_max = chars

    def read(self, next_event: Callable[[], Any]) -> None:
        """Build values until the stream ends."""
        while True:
            event = next_event()
            kind = type(event)
            if kind is ScalarEvent:
                if self.key is _NO_KEY and type(self.node) is dict:
                    self.name(event)
                else:
                    self.put(self.scalar(event))
            elif kind is MappingStartEvent:
                self.open(event, {})
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self.node = self.stack.pop()[0]
                self.key = _NO_KEY
            elif kind is SequenceStartEvent:
                self.open(event, [])
            elif kind is AliasEvent:
                self.alias(event)
            elif kind is DocumentStartEvent:
                self.built.empty = False
            elif kind is StreamEndEvent:
                return

    def put(self, value: Any) -> None:
        """Give `value` to the open container, or to the key that waits there."""
        node = self.node
        if type(node) is list:
            node.append(value)
        else:
            node[self.key] = value
            self.key = _NO_KEY
        self.nodes_left -= 1
        if self.nodes_left < 0:
            what = f"more than {NODES_MAX:,} values in one document"
            self.built.flaws.append(Flaw(1, 1, (), what, "split it into several documents", "too-many-values"))
            raise _Stopped

    def name(self, event: Any) -> None:
        """Take a scalar for the next key of the open map."""
        key: str = event.value
        if event.anchor is not None:
            self.anchors[event.anchor] = key
        if event.implicit[0] and not isinstance(resolve(key), str):
            self.note(
                event,
                "a key is not a text: YAML reads it as a number, true, false or null",
                "quote it",
                "key-not-a-string",
            )
        elif key == "<<" and event.implicit[0]:
            hint = "write the fields out, or give a whole value an anchor and an alias"
            self.note(event, "`<<` merges nothing: YAML 1.2 has no merge keys", hint, "merge-key")
            self.built.complete = False
        if event.tag is not None:
            self.check_tag(event)
        self.key = key
        if key == "apiVersion" and len(self.stack) == 1 and key in self.node:
            hint = "if another document begins here, write `---` on a line of its own above it"
            self.stop(event, f"the key {shown(key)} stands twice in one document", hint, "duplicate-key")
        if key in self.node:
            self.note(event, f"the key {shown(key)} stands twice in one map", "keep one of them", "duplicate-key")

    def scalar(self, event: Any) -> Scalar:
        """The value of a scalar."""
        value: Scalar = event.value
        if event.tag is not None:
            self.check_tag(event)
        elif event.implicit[0]:
            text = event.value
            value = resolve(text)
            if type(value) is int and is_unquoted_phone(text):
                named = "this" if names_a_secret(str(self.key)) else text
                hint = "put it in quotes" if named == "this" else f'quote it: "{text}"'
                self.note(event, f"{named} is read as a number and loses its +", hint, "unquoted-number")
                value = text
        if event.anchor is not None:
            self.anchors[event.anchor] = value
        return value

    def open(self, event: Any, container: Any) -> None:
        """Begin a map or a list, already in its place, so that a later syntax error does not take it away."""
        if self.key is _NO_KEY and type(self.node) is dict:
            hint = "put the text in quotes: what begins with { or [ is a map or a list to YAML"
            self.stop(event, "a map or a list stands where a key is expected", hint, "key-not-a-string")
        if len(self.stack) >= DEPTH_MAX:
            self.stop(event, f"nested deeper than {DEPTH_MAX} levels", "no manifest needs this", "too-deep")
        if event.tag is not None:
            self.check_tag(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = container
        outer = (self.node, self.key)
        self.put(container)
        self.stack.append(outer)
        self.node = container

    def alias(self, event: Any) -> None:
        """Write out a copy of what the anchor holds, within the bounds of both."""
        name = event.anchor
        if name not in self.anchors:
            hint = "quote it if it is text; an alias needs its &anchor further up in the same document"
            self.stop(
                event, "a value that begins with `*` is an alias, and this one has no anchor", hint, "unknown-alias"
            )
        value = self.anchors[name]
        if self.key is _NO_KEY and type(self.node) is dict:
            self.stop(event, "an alias stands where a key is expected", "write the key out", "key-not-a-string")
        if value is self.node or any(value is container for container, _ in self.stack):
            self.stop(event, "an alias stands inside the value that it repeats", "write the value out", "alias-loop")
        self.put(self.copied(value, len(self.stack), event))

    def copied(self, value: Any, depth: int, event: Any) -> Any:
        """A copy of an anchored value: equal, and counted like anything written out."""
        cost = 1 + len(value) // _CHARS_PER_NODE if type(value) is str else 1
        self.nodes_left -= cost
        self.copies_left -= cost
        if self.nodes_left < 0 or self.copies_left < 0 or depth > DEPTH_MAX:
            what = f"the aliases make more than {min(NODES_MAX, self.copies_max):,} values"
            hint = "they may make as many as the document has characters: write the values out"
            self.stop(event, what, hint, "too-many-values")
        if type(value) is dict:
            return {key: self.copied(child, depth + 1, event) for key, child in value.items()}
        if type(value) is list:
            return [self.copied(child, depth + 1, event) for child in value]
        return value

    def check_tag(self, event: Any) -> None:
        """Only `!!str` (and the bare `!`) say something a manifest may say."""
        if event.tag in _STRING_TAGS and type(event) is ScalarEvent:
            return
        self.note(
            event, "a value that begins with `!` is a tag, and manifests have none", "quote it if it is text", "tag"
        )

    def path(self) -> Path:
        """Where the reading stands."""
        steps: list[str | int] = []
        for container, key in self.stack[1:]:
            steps.append(len(container) - 1 if type(container) is list else key)
        if self.stack and type(self.node) is list:
            steps.append(len(self.node))
        elif self.stack and self.key is not _NO_KEY:
            steps.append(self.key)
        return tuple(steps)

    def note(self, event: Any, what: str, hint: str, code: str) -> None:
        """Complain and go on, up to `FLAWS_MAX`."""
        mark = event.start_mark
        self.built.flaws.append(Flaw(mark.line + 1, mark.column + 1, self.path(), what, hint, code))
        if len(self.built.flaws) > FLAWS_MAX:
            raise _Stopped

    def stop(self, event: Any, what: str, hint: str, code: str) -> NoReturn:
        """Complain and give this document up."""
        self.note(event, what, hint, code)
        raise _Stopped
