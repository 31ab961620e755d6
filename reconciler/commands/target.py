"""Options that say where to apply: our own tables, or a LiveKit server. Light: LiveKit's client is not loaded here."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from reconciler.errors import ReconcileError


@dataclass(frozen=True, slots=True)
class Target:
    """What the options of the target say."""

    name: str
    adopt: tuple[str, ...]
    take_over: str

    @property
    def is_livekit(self) -> bool:
        """Whether it is not our own tables. Raises ReconcileError for options that only make sense there."""
        if self.name != "livekit" and (self.adopt or self.take_over):
            raise ReconcileError("--adopt and --take-over are about objects at LiveKit", "add --target livekit")
        return self.name == "livekit"

    def refuse(self, given: Mapping[str, object]) -> None:
        """Raise ReconcileError for an option that only our own tables have."""
        for option, value in given.items():
            if value:
                raise ReconcileError(f"{option} does not work with --target livekit yet", "leave it out")


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--target` and what belongs to it; the command gets `at`."""

    @functools.wraps(command)
    def gathered(*args: Any, target: str, adopt: tuple[str, ...], take_over: str, **kwargs: Any) -> Any:
        return command(*args, at=Target(target, adopt, take_over), **kwargs)

    return _target(_adopt(_take_over(gathered)))


_target = click.option(
    "--target", type=click.Choice(("tables", "livekit")), default="tables", help="Our own tables, or a LiveKit server."
)
_adopt = click.option(
    "--adopt", metavar="ID=NAMESPACE/NAME", multiple=True, help="Make this object at LiveKit the one declared so."
)
_take_over = click.option("--take-over", metavar="OWNER", default="", help="Let --adopt take objects of this owner.")
