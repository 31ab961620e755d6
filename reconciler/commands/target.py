"""Options that say where to apply (our own tables, or a LiveKit server), and the target that comes of them.

Light: LiveKit's client is loaded when it is needed. What is remembered of a server lies in the state folder, in a file
of its own: `--tables` names our own tables, and what stands at LiveKit must never get into those.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from reconciler.commands.common import opened, opened_if_there, opened_there, store_errors
from reconciler.errors import ReconcileError
from reconciler.model.limits import LimitsOf, limits_of_tables
from reconciler.model.standing import Declared
from reconciler.plan.saved import TABLES, Order
from reconciler.settings import LiveKitAccess, Settings, livekit_from
from reconciler.targets.tables import TablesTarget
from reconciler.targets.target import Target
from schemas.ids import is_e164
from schemas.secret_key import check_shared_key
from schemas.stores import default_url, is_shared, shown

LIVEKIT = "livekit"
HASH_CHARS = 12
ADOPTIONS_CHARS_MAX = 16 * 1024 * 1024
"""How much is read of a file of adoptions."""


@dataclass(frozen=True, slots=True)
class Where:
    """What the options of the target say; `name` "" = nothing, which means our own tables."""

    name: str = ""
    adopt: tuple[str, ...] = ()
    take_over: str = ""
    not_mine: tuple[str, ...] = ()

    @property
    def is_livekit(self) -> bool:
        """Whether it is not our own tables. Raises ReconcileError for options that only make sense there."""
        if self.name != LIVEKIT and (self.adopt or self.take_over or self.not_mine):
            what = "--adopt, --take-over and --not-mine are about what is at LiveKit"
            raise ReconcileError(what, "add --target livekit")
        return self.name == LIVEKIT

    def as_approved(self, order: Order, path: str, *, is_signed: bool) -> Where:
        """Where a plan file leads. What a signed one says is not up to the command line."""
        name = TABLES if order.target == TABLES else LIVEKIT
        if self.name not in ("", name):
            raise ReconcileError(f"{path} is a plan for --target {name}", f"leave out --target {self.name}")
        if is_signed and (self.adopt or self.take_over or self.not_mine):
            hint = "leave --adopt, --take-over and --not-mine out, or plan with them"
            raise ReconcileError(f"{path} says what is adopted", hint)
        if is_signed:
            return Where(name, order.adopt, order.take_over, order.not_mine)
        if order.adopts and not (self.adopt or self.take_over or self.not_mine):
            hint = "give --adopt, --take-over and --not-mine again as they were given to plan"
            raise ReconcileError(
                f"{path} adopts objects, and is not signed: that counts only from the command line", hint
            )
        return replace(self, name=name)

    def comparable(self, declared: Declared) -> Declared:
        """Documents as the target reads them, where nobody asks it."""
        if not self.is_livekit:
            return declared
        from reconciler.targets.livekit.planning import comparable

        return comparable(declared)

    def limits_of(self, declared: Declared) -> LimitsOf:
        """What the target cannot hold, where nobody asks it."""
        if not self.is_livekit:
            return limits_of_tables
        from reconciler.targets.livekit.planning import limits_of

        return limits_of(declared)


@contextmanager
def opened_target(
    at: Where,
    settings: Settings,
    *,
    to_write: bool,
    must_be_there: bool = False,
    look_every_s: float | None = None,
    note: Callable[[int, int], None] | None = None,
) -> Iterator[Target]:
    """The target that the options name. Unless it is `to_write`, nothing is made that is missing.

    `must_be_there`: it is about what was applied before. Raises ReconcileError where there are no tables.

    `look_every_s`: how often a watcher asks a LiveKit server what others have changed; None: it is no watcher. `note`
    hears how many objects are written, of how many, where they are written one by one.
    """
    opening = opened if to_write else opened_if_there
    if not at.is_livekit:
        if to_write and is_shared(settings.tables):
            with store_errors():
                check_shared_key(shown(settings.tables), os.environ)
        with opened_there(settings) if must_be_there else opening(settings) as store:
            yield TablesTarget(store, settings.owner)
        return
    from reconciler.targets.livekit.holdings import claims_of
    from reconciler.targets.livekit.phone_numbers.ledger_file import LedgerFile
    from reconciler.targets.livekit.target import Adoption, LiveKitTarget

    access = livekit_from(os.environ)
    adoption = Adoption(claims_of(at.adopt), at.take_over, numbers_said(at.not_mine))
    if to_write or os.path.isdir(settings.state):
        with store_errors():
            default_url(settings.state)  # makes the state folder, or looks whose it is
    remembered = remembered_at(settings, access)
    ledger = LedgerFile(Path(remembered.tables.removeprefix("sqlite:///")).with_suffix(".numbers.json"))
    with opening(remembered) as store:
        yield LiveKitTarget(
            access, store, settings.owner, adoption, ledger=ledger, look_every_s=look_every_s, note=note
        )


def remembered_at(settings: Settings, access: LiveKitAccess) -> Settings:
    """The settings under which what is remembered of this server is opened."""
    server = hashlib.sha256(access.host.encode()).hexdigest()[:HASH_CHARS]
    return replace(settings, tables=f"sqlite:///{settings.state.rstrip('/')}/livekit-{server}.db")


def target_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--target`; the command gets `at`."""

    @functools.wraps(command)
    def gathered(*args: Any, target: str | None, **kwargs: Any) -> Any:
        return command(*args, at=Where(target or ""), **kwargs)

    return _target(gathered)


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--target` and what adopts objects there; the command gets `at`."""

    @functools.wraps(command)
    def gathered(
        *args: Any, target: str | None, adopt: tuple[str, ...], take_over: str, not_mine: tuple[str, ...], **kwargs: Any
    ) -> Any:
        return command(*args, at=Where(target or "", _written_out(adopt), take_over, not_mine), **kwargs)

    return _target(_adopt(_take_over(_not_mine(gathered))))


def numbers_said(texts: Sequence[str]) -> tuple[str, ...]:
    """`--not-mine` as it was given. Raises ReconcileError."""
    for text in texts:
        if not is_e164(text):
            raise ReconcileError(f"--not-mine {text} is no number", "write it like +14155550100")
    return tuple(texts)


def _written_out(adopt: tuple[str, ...]) -> tuple[str, ...]:
    """The adoptions, each `@FILE` replaced by the lines of that file."""
    return tuple(line for one in adopt for line in (_lines_of(one[1:]) if one.startswith("@") else (one,)))


def _lines_of(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return [line.strip() for line in file.read(ADOPTIONS_CHARS_MAX).splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ReconcileError(f"{path} cannot be read: {reason}", "give --adopt @FILE as `import` says it") from error


_target = click.option(
    "--target", type=click.Choice((TABLES, LIVEKIT)), help="Our own tables, or a LiveKit server (tables)."
)
_adopt = click.option(
    "--adopt",
    metavar="ID=NAMESPACE/NAME|@FILE",
    multiple=True,
    help="Make this object at LiveKit the one declared so; @FILE has one in each line.",
)
_take_over = click.option("--take-over", metavar="OWNER", default="", help="Let --adopt take objects of this owner.")
_not_mine = click.option(
    "--not-mine", metavar="NUMBER", multiple=True, help="This number at LiveKit was bought for none of these documents."
)
