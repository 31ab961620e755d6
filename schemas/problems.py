"""One shape for every complaint to a user: where, what, and what to do about it.

Every layer that can refuse something a person wrote returns `Problem` values, so that the command line, the
watcher and later the cluster's conditions print the same sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is: an error holds its object back, a warning only speaks."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Where:
    """A place in a person's files; line and column count from 1, 0 = the whole file. `path` is `spec.inbound…`."""

    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""

    def __str__(self) -> str:
        if not self.file:
            return self.path
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """One complaint. `code` is stable for machines (kebab-case); `what` and `hint` are sentences for people.

    `object_id` is `Kind/namespace/name` where it could be read. `waits_for` is another object's: this problem is only a
    consequence of that one's, and goes when it is mended.
    """

    where: Where
    what: str
    hint: str = ""
    code: str = "invalid"
    severity: Severity = Severity.ERROR
    object_id: str = ""
    waits_for: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if str(self.where) else self.what
        return f"{text}, {self.hint}" if self.hint else text

    @property
    def is_error(self) -> bool:
        """Whether this holds its object back."""
        return self.severity is Severity.ERROR
