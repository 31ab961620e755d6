"""Which files a source names, and their bytes: a folder, one file, or `-` for standard input.

Only `*.yaml` and `*.yml` are read, dot entries never; links to folders are followed, and each real folder is read once.
The source itself may be a link (git-sync), and so may what is in it (a ConfigMap's `..data`), as long as it leads to
somewhere inside: a link that leaves the folder is not followed, or a complaint could show a line of any file that
this program may read to whoever may write into the folder.
Nothing here raises for what the disk holds: it comes back as problems. Called by `folder`.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from reconciler.manifests.text import FILE_BYTES_MAX
from schemas.printable import printable
from schemas.problems import Problem, Where

STDIN = "-"
STDIN_NAME = "<stdin>"
FILES_MAX = 250_000
FOLDERS_MAX = 50_000
FOLDER_DEPTH_MAX = 64
READ_BYTES = 64 * 1024
"""One read; more would have the allocator map fresh pages for every small file."""

Stamp = tuple[int, int, int, int]
"""Modification and status change time (ns), size and inode: what tells a changed file from an unchanged one."""

_SUFFIXES = (".yaml", ".yml")
_KUSTOMIZATION = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})


@dataclass(slots=True)
class Found:
    """The manifests of a source by path, in sorted order, and the folders they were looked for in.

    `exists` False: the source itself is not there, or cannot be read.
    """

    files: dict[str, Stamp] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    exists: bool = True

    def complain(self, path: str, what: str, hint: str = "", code: str = "unreadable") -> None:
        """Note a problem with a whole file or folder."""
        self.problems.append(Problem(Where(path), what, hint, code))


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the disk has found, and how often the folder had been refreshed when it began."""

    found: Found
    refreshes: int


def is_manifest(name: str) -> bool:
    """Whether an entry of a folder is a manifest by its name.

    One that is not printable is none: messages repeat it, and must begin no command for a terminal or for GitHub.
    """
    return name.endswith(_SUFFIXES) and name[0] != "." and name not in _KUSTOMIZATION and name.isprintable()


def is_kustomization(name: str) -> bool:
    """Whether a file says that kustomize builds its folder."""
    return name in _KUSTOMIZATION


def find_files(source: str) -> Found:
    """The manifests of a folder or a file."""
    found = Found()
    try:
        status = os.stat(source)
    except (OSError, ValueError) as error:
        found.exists = False
        code = "no-such-folder" if isinstance(error, FileNotFoundError | NotADirectoryError) else "unreadable"
        found.complain(source, f"cannot be read: {_reason(error)}", "", code)
        return found
    if stat.S_ISDIR(status.st_mode):
        _walk(source, found)
    elif stat.S_ISREG(status.st_mode):
        folder, _, name = source.rpartition("/")
        if is_kustomization(name):
            _complain_of_kustomize(source, folder or ".", found)
        else:
            found.files[source] = _stamp(status)
    else:
        found.exists = False
        found.complain(source, "is neither a folder nor a regular file", code="not-a-file")
    return found


def leaves(root: str, path: str) -> Problem | None:
    """The complaint about a link below `root` that leads out of it; None for everything else."""
    if not os.path.islink(path):
        return None
    home, real = os.path.realpath(root), os.path.realpath(path)
    if real == home or real.startswith(home.rstrip("/") + "/") or not os.path.exists(path):
        return None
    what = f"is a link that leaves the folder {root}, and is not followed"
    return Problem(Where(path), what, "put the file itself here, or name its folder as well", "link-outside")


def read_bytes_of(path: str) -> bytes | Problem | None:
    """The bytes of a file, at most one more than `FILE_BYTES_MAX`; None when it is gone."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return Problem(Where(path), f"cannot be read: {_reason(error)}", "", "unreadable")
    try:
        return b"".join(_chunks(handle))
    except OSError as error:
        return Problem(Where(path), f"cannot be read: {_reason(error)}", "", "unreadable")
    finally:
        os.close(handle)


def read_stdin() -> bytes:
    """All of standard input, at most one byte more than `FILE_BYTES_MAX`."""
    return sys.stdin.buffer.read(FILE_BYTES_MAX + 1)


def _chunks(handle: int) -> Iterator[bytes]:
    left = FILE_BYTES_MAX + 1
    while left > 0 and (chunk := os.read(handle, min(left, READ_BYTES))):
        left -= len(chunk)
        yield chunk


def _walk(root: str, found: Found) -> None:
    prefix = "" if root == "." else root.rstrip("/") + "/"
    waiting: list[tuple[str, str, int]] = [(root, prefix, 0)]
    seen: set[tuple[int, int]] = set()
    while waiting:
        folder, prefix, depth = waiting.pop()
        try:
            status = os.stat(folder)
            entries = _entries(folder)
        except OSError as error:
            found.exists = found.exists and folder != root
            found.complain(folder, f"cannot be read: {_reason(error)}")
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        found.folders.add(folder)
        if depth >= FOLDER_DEPTH_MAX or len(seen) >= FOLDERS_MAX:
            found.complain(folder, "too many folders", f"at most {FOLDERS_MAX:,}, {FOLDER_DEPTH_MAX} deep", "too-many")
            continue
        below = [_entry(entry, prefix, root, found) for entry in entries]
        waiting += [(path, path + "/", depth + 1) for path in reversed(below) if path]
        if len(found.files) > FILES_MAX:
            found.complain(root, f"more than {FILES_MAX:,} manifests", "split the folder", "too-many")
            return


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as listing:
        entries = [entry for entry in listing if entry.name[0] != "."]
    entries.sort(key=lambda entry: entry.name)
    return entries


def _entry(entry: os.DirEntry[str], prefix: str, root: str, found: Found) -> str | None:
    """Note a manifest; the path of a folder to look into."""
    name, path = entry.name, prefix + entry.name
    if is_kustomization(name):
        _complain_of_kustomize(path, prefix.rstrip("/") or ".", found)
        return None
    try:
        is_folder = not name.endswith(_SUFFIXES)
        if is_folder and not entry.is_dir():
            return None
        if not name.isprintable():
            shown = printable(path)
            found.complain(shown, "has an unprintable character in its name, and is not read", "rename it", "odd-name")
            return None
        if entry.is_symlink() and (problem := leaves(root, path)) is not None:
            found.problems.append(problem)
            return None
        if is_folder:
            return path
        status = entry.stat()
    except FileNotFoundError:
        if entry.is_symlink():
            found.complain(path, "is a link that leads nowhere")
        return None
    except OSError as error:
        found.complain(path, f"cannot be read: {_reason(error)}")
        return None
    if stat.S_ISREG(status.st_mode):
        found.files[path] = _stamp(status)
    elif stat.S_ISDIR(status.st_mode):
        return path
    else:
        found.complain(path, "is not a regular file", code="not-a-file")
    return None


def _complain_of_kustomize(path: str, folder: str, found: Found) -> None:
    hint = f"run `kustomize build {folder} | reconcile plan -`"
    found.complain(path, "this folder is built by kustomize, and is not read as it stands", hint, "kustomization")


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
