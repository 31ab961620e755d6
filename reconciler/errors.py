"""The one exception that ends a command of the reconciler: a sentence, what to do, and the exit code.

What a person wrote in a manifest never comes this way (that is a `Problem`); this is for the command itself: an
option that makes no sense, a store that cannot be opened. Edges raise it, `cli` prints it and exits.
"""

from __future__ import annotations

EXIT_ERROR = 1
EXIT_CHANGES = 2
EXIT_UNSAFE = 3


class ReconcileError(Exception):
    """`message` says what is wrong, `hint` what to do about it; `exit_code` is the command's (1, or 3 for unsafe)."""

    def __init__(self, message: str, hint: str = "", exit_code: int = EXIT_ERROR) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message}, {self.hint}" if self.hint else self.message
