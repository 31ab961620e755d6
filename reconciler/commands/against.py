"""What `plan --against` compares with: another folder, or a commit, read under the names that DIR's files have.

Under the same names, because the place of a `{file: …}` secret begins at its manifest's folder, and because a file that
cannot be read now keeps what it declared before.
"""

from __future__ import annotations

import os

from reconciler.errors import ReconcileError
from reconciler.manifests.files import STDIN, find_files, read_bytes_of
from reconciler.manifests.folder import Reading, read_contents
from reconciler.manifests.git import SCHEME, Contents, read_commit


def read_other(against: str, source: str) -> Reading:
    """The manifests at `against`. Raises ReconcileError where there are none to be read."""
    if against.startswith(SCHEME):
        if source == STDIN:
            raise ReconcileError("standard input is in no commit", "name a folder of manifests")
        return read_contents(read_commit(against.removeprefix(SCHEME), source))
    found = find_files(against)
    if not found.exists:
        raise ReconcileError(str(found.problems[0]), "name a folder of manifests, or git:REF")
    contents: Contents = {}
    for path in found.files:
        data = read_bytes_of(path)
        if data is not None:
            contents[_renamed(path, against, source)] = data
    return read_contents(contents, tuple(found.problems))


def _renamed(path: str, against: str, source: str) -> str:
    if source == STDIN:
        return path
    if not os.path.isdir(against):
        return source if not os.path.isdir(source) else os.path.join(source, os.path.basename(path))
    below = os.path.relpath(path, against)
    home = source if os.path.isdir(source) else os.path.dirname(source)
    return os.path.join(home, below) if home not in ("", ".") else below
