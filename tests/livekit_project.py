"""A folder of manifests, a state folder and a LiveKit Cloud that is played: `reconcile` runs on them as by a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli import run
from tests.livekit_cloud import Cloud
from tests.livekit_faults import Front

HEAD = "apiVersion: dialplane.dev/v1alpha1\n"
RULE = f"""{HEAD}kind: DispatchRule
metadata: {{name: support}}
spec: {{rule: {{direct: {{room: lobby}}}}}}
"""


def asks(name: str = "us", more: str = "", purchase: str = 'countryCode: US, areaCode: "415"', head: str = "") -> str:
    """A PhoneNumber that asks for a number."""
    return f"""{HEAD}kind: PhoneNumber
metadata: {{name: {name}{head}}}
spec:
  purchase: {{from: livekit, {purchase}}}  # billed
  dispatchRuleRef: {{name: support}}
{more}"""


def names(number: str, name: str = "us", more: str = "", rule: str = "support") -> str:
    """A PhoneNumber of LiveKit's own that names its number."""
    return f"""{HEAD}kind: PhoneNumber
metadata: {{name: {name}}}
spec:
  number: "{number}"
  dispatchRuleRef: {{name: {rule}}}
{more}"""


class Project:
    """See the module. `said` is what the last command printed, its complaints behind it."""

    def __init__(self, work: Path, front: Front, capsys: pytest.CaptureFixture[str]) -> None:
        assert isinstance(front.behind, Cloud)
        self.folder, self.state, self.front, self.cloud = work / "manifests", work / "state", front, front.behind
        self.folder.mkdir()
        self.said = ""
        self._capsys = capsys

    def write(self, *documents: str, file: str = "a.yaml") -> None:
        (self.folder / file).write_text("---\n".join(documents))

    def text(self, file: str = "a.yaml") -> str:
        return (self.folder / file).read_text()

    def reconcile(self, command: str, *options: str, source: str = "") -> int:
        """One command at LiveKit; its exit code."""
        return self.run(command, source or str(self.folder), "--target", "livekit", *options)

    def run(self, *arguments: str) -> int:
        """Any command; its exit code."""
        self._capsys.readouterr()
        code = run([*arguments, "--state", str(self.state)])
        said = self._capsys.readouterr()
        self.said = said.out + said.err
        return code

    def apply(self, *options: str) -> int:
        return self.reconcile("apply", *options)

    def buy(self) -> None:
        """Apply, and see that it did all."""
        code = self.apply("--allow-purchases")
        assert code == 0, self.said

    def ledger(self) -> Mapping[str, Any]:
        """The entries by number."""
        found = list(self.state.glob("*.numbers.json"))
        return {one["number"]: one for one in json.loads(found[0].read_text())["numbers"]} if found else {}

    def lose_state(self) -> None:
        for path in self.state.iterdir():
            path.unlink()

    def rules_of(self, number: str) -> list[str]:
        """The names of the rules that a number is assigned to, as people see them."""
        return [self.cloud.held[id_].name.partition(" ")[0] for id_ in self.cloud.rules_of(number)]
