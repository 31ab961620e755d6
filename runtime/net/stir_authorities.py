"""The file of authorities for telephone numbers (`--stir-authorities`), read anew when it changes.

As with the files of TLS a thread looks, and hands over what it has read; what cannot be used is told, and what was in
force stays.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from runtime.errors import BridgeError
from runtime.limits import STIR_AUTHORITIES_BYTES_MAX
from runtime.net.tls_contexts import LOOK_EVERY_S
from runtime.net.tls_files import Seen, is_settled, seen
from runtime.stir.signer import Authorities

HandOver = Callable[[Callable[[], None]], object]


class StirAuthorities:
    """One per bridge. `trust` is told of those in force, `log(words)` of news; both on the loop."""

    def __init__(self, file: Path | None, trust: Callable[[Authorities], None], log: Callable[[str], None]) -> None:
        self._file = file
        self._trust = trust
        self._log = log
        self._seen: Seen = ()
        self._stopping = threading.Event()

    def load(self) -> None:
        """Read the file for the first time. BridgeError says why it cannot be used."""
        if self._file is not None:
            self._seen = seen((self._file,))
            self._take(_read(self._file))

    def watch(self, hand_over: HandOver) -> None:
        """Follow it from now on; `hand_over(call)` has the event loop call something."""
        if self._file is not None:
            thread = threading.Thread(
                target=self._follow, args=(self._file, hand_over), name="stir-authorities", daemon=True
            )
            thread.start()

    def stop(self) -> None:
        """Follow it no more."""
        self._stopping.set()

    def _take(self, authorities: Authorities) -> None:
        self._trust(authorities)
        self._log(f"callers are verified by {len(authorities.certificates)} authorities of {self._file}")

    def _follow(self, file: Path, hand_over: HandOver) -> None:
        before, refused = self._seen, ""
        while not self._stopping.wait(LOOK_EVERY_S):
            found = seen((file,))
            if is_settled(found, before, self._seen):
                refused = self._reread(file, found, hand_over, refused)
            before = found

    def _reread(self, file: Path, found: Seen, hand_over: HandOver, refused: str) -> str:
        """Take up what is there now; or why not, in words, told once."""
        try:
            authorities = _read(file)
        except BridgeError as fault:
            words = f"{fault.what}; callers are verified by the authorities of before"
            if words != refused:
                hand_over(lambda: self._log(words))
            return words
        self._seen = found
        hand_over(lambda: self._take(authorities))
        return ""


def _read(file: Path) -> Authorities:
    hint = "name a file of certificates in PEM"
    try:
        with file.open("rb") as opened:
            data = opened.read(STIR_AUTHORITIES_BYTES_MAX + 1)
    except OSError as fault:
        raise BridgeError(f"--stir-authorities {file}: {fault.strerror}", hint) from fault
    if len(data) > STIR_AUTHORITIES_BYTES_MAX:
        raise BridgeError(f"--stir-authorities {file}: more than {STIR_AUTHORITIES_BYTES_MAX >> 20} MiB", hint)
    try:
        return Authorities.read(data)
    except ValueError as fault:
        raise BridgeError(f"--stir-authorities {file}: no certificates (PEM) in it", hint) from fault
