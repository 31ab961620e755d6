"""What a person sees when the bridge cannot do what was asked: one sentence, a next step, an exit code."""

from __future__ import annotations


class BridgeError(Exception):
    """A fault that its user can mend. `hint` is the next step; `exit_code` is the program's."""

    def __init__(self, what: str, hint: str = "", exit_code: int = 1) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.what}\n  {self.hint}" if self.hint else self.what
