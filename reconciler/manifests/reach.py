"""What manifests may read of the machine that the reconciler runs on, when they say where a secret is.

Whoever writes a manifest has a secret read with the reconciler's rights, and may have their own trunk use it. So files
are read below the manifests' folder and the folders that the operator names, wherever links lead, and neither files nor
variables are read that are the programs' own. Asked by `vault` at every look.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.manifests.files import STDIN
from reconciler.model.secrets import Unreadable

_OWN_VARIABLES = ("DIALPLANE_", "LIVEKIT_", "LD_", "DYLD_", "PYTHON")
_USUAL_VARIABLES = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "TMPDIR", "HOSTNAME", "LANG", "TERM"}
)
_HINT = "keep it beside the manifests, or give its folder with --secret-files DIR"


@dataclass(frozen=True, slots=True)
class Reach:
    """`folders` are open, and what is below them; `closed` are files and folders that are not, wherever they are."""

    folders: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()

    def refuses_file(self, real_path: str, path: str) -> Unreadable | None:
        """Why this file may not be read. `real_path` is where `path` leads (`real`), which nobody is told."""
        if _is_below(real_path, self.closed):
            return Unreadable(f"the file {path} is dialplane's own", "no manifest reads it; name another")
        if not _is_below(real_path, self.folders):
            return Unreadable(f"the file {path} is outside of the folders that manifests may read", _HINT)
        return None


def refuses_variable(name: str) -> Unreadable | None:
    """Why this variable may not be read."""
    if name.startswith(_OWN_VARIABLES) or name in _USUAL_VARIABLES:
        what = f"the environment variable {name} is not for manifests"
        return Unreadable(what, "put the secret into a variable of its own, named like SUPPORT_PIN")
    return None


def real(path: str) -> str:
    """Where a path leads. A path that leads nowhere is told so when it is opened."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return path


def folders_of(sources: Iterable[str]) -> tuple[str, ...]:
    """The folders that these sources open: themselves, or those that the files are in; none for standard input."""
    named = (source for source in sources if source != STDIN)
    return tuple(source if os.path.isdir(source) else os.path.dirname(source) or "." for source in named)


def _is_below(path: str, places: tuple[str, ...]) -> bool:
    parts = path.split(os.sep)
    homes = (real(place).rstrip(os.sep).split(os.sep) for place in places)  # anew: git-sync moves the link
    return any(parts[: len(home)] == home for home in homes)
