"""EDGE. The manifests of a commit, read out of git's objects: work tree, index and refs stay untouched.

`git ls-tree` names the files and `git cat-file --batch` gives their bytes as they were committed: `git archive` would
obey the attributes of that commit (export-ignore, export-subst), and a checkout would run filters. Git is run without
a shell, with its own settings of hooks and monitors off, with a few variables, and never asks or fetches anything.

Whoever writes the manifests may not choose what they are compared with. So git starts at the folder whose `.git` it is
(nobody can commit one), never at the manifests' own, which could look like a bare repository; and the path by which
the commit is asked is the one that was given, not where links on it lead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

from reconciler.errors import ReconcileError
from reconciler.manifests.files import FILES_MAX, is_manifest
from reconciler.manifests.text import FILE_BYTES_MAX
from schemas.problems import Problem, Where

SCHEME = "git:"
GIT_SECONDS_MAX = 60
BYTES_MAX = 256 * 1024 * 1024
"""All files of one commit together."""

_SETTINGS = (
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
    *("-c", "safe.bareRepository=explicit", "-c", "protocol.allow=never"),
    *("--no-replace-objects", "--no-pager"),
)
_VARIABLES = ("PATH", "HOME", "XDG_CONFIG_HOME", "USER", "TMPDIR")
_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
_LINK, _SUBMODULE, _FILES = "120000", "160000", ("100644", "100755")
_OTHERWISE = "compare with a folder: --against DIR"

Contents = dict[str, bytes | Problem]


def read_commit(reference: str, source: str) -> Contents:
    """What `source`, a folder or a file in a work tree, held at a commit, by the names that files have there now."""
    is_folder = os.path.isdir(source)
    home, where = _placed(source, is_folder=is_folder)
    commit = _line(home, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
    if not commit:
        raise ReconcileError(f"{SCHEME}{reference}: git knows no such commit here", "fetch it first, or name another")
    listed = _git(home, "ls-tree", "-r", "-z", "-l", "--full-tree", "--", commit, *([where] if where else []))
    names = source if source != "." else ""
    found: Contents = {}
    wanted: dict[str, str] = {}
    size = 0
    for mode, blob, length, path in _entries(listed):
        below = path[len(where) :] if is_folder else ""
        name = os.path.join(names, below) if is_folder else source
        if mode != _SUBMODULE and not _is_read(below or os.path.basename(source)):
            continue
        problem = _problem(name, mode, length)
        if problem is not None:
            found[name] = problem
        elif mode in _FILES:
            wanted[name], size = blob, size + length
    if len(wanted) > FILES_MAX or size > BYTES_MAX:
        raise ReconcileError(f"{SCHEME}{reference}: holds too many manifests to compare with", "name a smaller folder")
    blobs = _blobs(home, list(dict.fromkeys(wanted.values())))
    found |= {name: blobs[blob] for name, blob in wanted.items()}
    return dict(sorted(found.items()))


def _placed(source: str, *, is_folder: bool) -> tuple[str, str]:
    """The work tree that holds `source`, and the path of it there: "" all of it, else a folder's ends with a slash."""
    path = os.path.abspath(source)
    if not os.path.exists(path) or not os.path.samefile(path, source):
        raise ReconcileError(f"{source} goes back over a link", "name the folder itself")
    top = _top(path)
    if not top or os.path.realpath(_line(top, "rev-parse", "--show-toplevel")) != os.path.realpath(top):
        raise ReconcileError(f"{source} is in no work tree of git", _OTHERWISE)
    if above := _line(top, "rev-parse", "--show-superproject-working-tree"):
        raise ReconcileError(f"{top} is a submodule of {above}, whose commits do not hold its files", _OTHERWISE)
    where = os.path.relpath(path, top)
    if where == ".":
        return top, ""
    return top, where + "/" if is_folder else where


def _top(path: str) -> str:
    """The folder nearest to an absolute path that holds a `.git`, "" = none. No link may stand behind a `.git`."""
    top = ""
    steps = path.split("/")
    for count in range(1, len(steps) + 1):
        at = "/".join(steps[:count]) or "/"
        if top and os.path.islink(at):
            what = f"{os.path.relpath(at, top)} is a link, and a commit holds nothing of what it leads to"
            raise ReconcileError(what, f"name the folder that it leads to, or {_OTHERWISE}")
        if os.path.lexists(os.path.join(at, ".git")):
            top = at
    return top


def _is_read(below: str) -> bool:
    """As in a folder: dot entries never."""
    *folders, file = below.split("/")
    return is_manifest(file) and all(folder[:1] != "." and folder.isprintable() for folder in folders)


def _problem(name: str, mode: str, length: int) -> Problem | None:
    if mode == _LINK:
        return Problem(Where(name), "is a link in that commit, and is not followed", "compare two folders", "link")
    if mode == _SUBMODULE:
        what = "is a submodule in that commit, and is not read"
        return Problem(Where(name), what, "compare two folders", "submodule")
    if length > FILE_BYTES_MAX:
        return Problem(Where(name), f"has more than {FILE_BYTES_MAX:,} bytes", "split it", "too-large")
    return None


def _entries(listed: bytes) -> Iterator[tuple[str, str, int, str]]:
    """(mode, object, size, path) of each file in `git ls-tree -r -z -l`; a submodule has the size 0."""
    for entry in listed.split(b"\0")[:-1]:
        about, _, path = entry.partition(b"\t")
        mode, kind, blob, length = about.decode("ascii").split()
        yield mode, blob, int(length) if kind == "blob" else 0, os.fsdecode(path)


def _blobs(home: str, names: list[str]) -> dict[str, bytes]:
    """The contents of these objects."""
    out: dict[str, bytes] = {}
    answer = _git(home, "cat-file", "--batch", said="".join(f"{name}\n" for name in names).encode()) if names else b""
    at = 0
    for name in names:
        end = answer.index(b"\n", at)
        _, kind, *length = answer[at:end].split()
        if kind != b"blob":
            raise ReconcileError(f"git has lost the object {name}", "run git fsck, or fetch the commit whole")
        begin, size = end + 1, int(length[0])
        out[name] = answer[begin : begin + size]
        at = begin + size + 1
    return out


def _line(home: str, *arguments: str) -> str:
    return os.fsdecode(_git(home, *arguments, may_fail="--quiet" in arguments)).rstrip("\n")


def _git(home: str, *arguments: str, said: bytes = b"", may_fail: bool = False) -> bytes:
    """What a git command prints. Raises ReconcileError."""
    program = shutil.which("git")
    if program is None:
        raise ReconcileError("git is not installed", "install it, or compare with a folder: --against DIR")
    environ = {name: os.environ[name] for name in _VARIABLES if name in os.environ} | _QUIET
    command = [program, *_SETTINGS, "-C", home, *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - a list of our own words, the reference behind --end-of-options
            command, input=said, capture_output=True, timeout=GIT_SECONDS_MAX, env=environ, check=False
        )
    except subprocess.TimeoutExpired:
        raise ReconcileError(f"git took more than {GIT_SECONDS_MAX} s", _OTHERWISE) from None
    except (OSError, ValueError) as error:
        raise ReconcileError(f"git cannot be run: {error}", _OTHERWISE) from error
    if done.returncode and not may_fail:
        reason = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0][:200]
        raise ReconcileError(f"git: {reason}", "--against git:REF needs manifests in a git work tree")
    return done.stdout if not done.returncode else b""
