"""How a publish is put into force: a small one within the script, a large one put down first and then named by it.

A script of a hundred thousand rows would hold up everybody, so what is large is written beforehand, under keys of its
own that nobody looks at. The script only renames them where nothing was before, else it names them a layer that lies
over the rest. Then the layer is taken into the rest, a little at a time. Readers see the same rows before, during and
after that; whoever dies meanwhile leaves it to the next publish. What was put down and never named goes by itself: its
keys live for so long only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from schemas.stores.door import StoreError
from schemas.stores.redis.errors import FRESH
from schemas.stores.redis.layout import ABSENT, Keys, State, portions
from schemas.stores.redis.reading import TRIES_MAX, read_state
from schemas.stores.redis.scripts import COMMIT, MERGE
from schemas.stores.redis.wire import Command, Wire

DIRECT_FIELDS_MAX = 500
DIRECT_BYTES_MAX = 512 << 10
"""What is more is staged."""
FIELDS_AT_ONCE = 500
STAGED_MS = 120_000
"""How long staged keys live after the last one was written."""
MERGED_AT_ONCE = 500

_PARTS = ("rows", "beside", "tree", "goods")


@dataclass(slots=True)
class Writes:
    """What a publish by `owner` writes: fields of hashes by name (ABSENT = none any more), and other commands.

    `past` becomes a hash of its own, in the place of any other. A command comes with the kind of its key.
    """

    owner: str
    rows: dict[str, bytes] = field(default_factory=dict)
    beside: dict[str, bytes] = field(default_factory=dict)
    tree: dict[str, bytes] = field(default_factory=dict)
    goods: dict[str, bytes] = field(default_factory=dict)
    past: dict[str, bytes] = field(default_factory=dict)
    commands: list[tuple[str, Command]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.rows or self.beside or self.goods or self.commands)

    def do(self, kind: str, name: str, key: str, *words: str | bytes) -> None:
        """One command more, on a key of that kind."""
        self.commands.append((kind, (name, key, *words)))

    def put(self, key: str, name: str, value: bytes) -> None:
        """One field of a small hash."""
        self.do("hash", "HSET", key, name, value)

    def homes(self, keys: Keys, revision: int) -> dict[str, tuple[str, dict[str, bytes]]]:
        """The hashes by their parts: key and what is to be written."""
        parts = {part: (keys.named(part), getattr(self, part)) for part in _PARTS[:3]}
        parts["goods"] = (keys.goods(self.owner), self.goods)
        parts["past"] = (keys.past(revision), self.past)
        return {part: (key, values) for part, (key, values) in parts.items() if values}


def commit(wire: Wire, keys: Keys, before: State, after: State, writes: Writes) -> bool:
    """Put it into force; False = others were faster, and nothing has changed."""
    homes = writes.homes(keys, after.revision)
    every = [values for _, values in homes.values()]
    size = sum(len(name) + len(value) for values in every for name, value in values.items())
    if sum(map(len, every)) <= DIRECT_FIELDS_MAX and size <= DIRECT_BYTES_MAX:
        direct = [command for key, values in homes.values() for command in _written(key, values)]
        return _run(wire, keys, before, after, [*writes.commands, *direct])
    return _commit_staged(wire, keys, before, after, writes)


def settled(wire: Wire, keys: Keys) -> State:
    """The state without a layer; if there is one, it is taken into the rest."""
    for _ in range(TRIES_MAX):
        state = read_state(wire, keys)
        if not state.layer:
            return state
        homes = {part: keys.named(part) for part in _PARTS[:3]} | {"goods": keys.goods(state.layer_owner)}
        if all(_merged(wire, keys, state, part, home) for part, home in homes.items()):
            parts = [keys.staged(state.layer, part) for part in _PARTS]
            after = replace(state, layer="", layer_rows=0, layer_owner="")
            _run(wire, keys, state, after, [("hash", ("UNLINK", part)) for part in parts])
    raise StoreError(wire.where, "others have published all the time", "try again")


def _commit_staged(wire: Wire, keys: Keys, before: State, after: State, writes: Writes) -> bool:
    token, commands, over = after.token, list(writes.commands), set[str]()
    homes = writes.homes(keys, after.revision)
    there = wire.in_a_row([("EXISTS", key) for key, _ in homes.values()])
    for (part, (key, values)), is_there in zip(homes.items(), there, strict=True):
        staged = keys.staged(token, part)
        _stage(wire, staged, values)
        commands.append(("hash", ("EXPECT", staged, str(len(values)))))
        commands.append(("hash", ("PERSIST", staged)))
        if is_there and part in _PARTS:
            over.add(part)
        else:
            commands.append(("hash", ("RENAME", staged, key)))
    if over:
        rows = len(writes.rows) if "rows" in over else 0
        after = replace(after, layer=token, layer_rows=rows, layer_owner=writes.owner)
    if not _run(wire, keys, before, after, commands):
        wire.do("UNLINK", *(keys.staged(token, part) for part in homes))
        return False
    if over:
        with contextlib.suppress(StoreError):  # it is published; the next publish goes on with it
            settled(wire, keys)
    return True


def _stage(wire: Wire, key: str, values: Mapping[str, bytes]) -> None:
    for some in portions(list(values.items()), FIELDS_AT_ONCE):
        words = [word for item in some for word in item]
        wire.together([("HSET", key, *words), ("PEXPIRE", key, STAGED_MS)])


def _written(key: str, values: Mapping[str, bytes]) -> list[tuple[str, Command]]:
    gone = [name for name, value in values.items() if value == ABSENT]
    put = [word for item in values.items() if item[1] != ABSENT for word in item]
    commands: list[tuple[str, Command]] = []
    if put:
        commands.append(("hash", ("HSET", key, *put)))
    if gone:
        commands.append(("hash", ("HDEL", key, *gone)))
    return commands


def _merged(wire: Wire, keys: Keys, state: State, part: str, home: str) -> bool:
    """Take one hash of the layer into the one below; False = the state is another one now."""
    cursor: bytes | str | None = "0"
    while True:
        over = keys.staged(state.layer, part)
        cursor = wire.run(MERGE, (keys.head, over, home), (state.raw, cursor or "", MERGED_AT_ONCE))
        if cursor is None:
            return False
        if cursor == b"0":
            return True


def _run(wire: Wire, keys: Keys, before: State, after: State, commands: list[tuple[str, Command]]) -> bool:
    kinds: dict[str, str] = {}
    words: list[str | bytes | int] = []
    for kind, command in commands:
        for key in command[1:3] if command[0] == "RENAME" else command[1:2]:
            kinds[str(key)] = kind
        words += [len(command), *command]
    answer = wire.run(COMMIT, (keys.head, *kinds), (before.raw, after.written().raw, *kinds.values(), *words))
    said, *about = [word.decode() for word in answer]
    if said == "taken":
        what = f"the key {about[0]} holds a {about[1]}, which is another program's"
        raise StoreError(wire.where, what, f"choose another ?prefix=NAME, or {FRESH}")
    if said == "denied":
        what = f"this user may not do {about[0]} on {about[1]}, nothing was changed"
        raise StoreError(wire.where, what, "let the user run +@all on the keys ~{PREFIX}:*, see the docs")
    if said == "lost":
        raise StoreError(wire.where, "Redis has lost what was put down, nothing was changed", "try again")
    return bool(said == "done")
