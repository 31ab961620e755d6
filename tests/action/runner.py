"""GitHub's runner as far as a composite action needs one: inputs, expressions, files of commands, one shell per step.

https://docs.github.com/actions/reference/workflows-and-actions/metadata-syntax and .../expressions. Only what
`action.yml` uses is known; anything else raises, so that no step is tested as something that it is not.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import yaml

SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
STEP_KEYS = {"id", "name", "if", "shell", "env", "run"}
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(&&|\|\||==|!=|!|\(|\))|([A-Za-z_][\w.-]*))")


@dataclass
class Ran:
    """One step that was run, or skipped: its exit code (None = skipped), what it printed, what it put out."""

    code: int | None
    out: str = ""
    err: str = ""
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        return "skipped" if self.code is None else "success" if self.code == 0 else "failure"

    @property
    def commands(self) -> list[str]:
        """What the runner would take for workflow commands: it looks behind white space, and at both streams."""
        lines = (self.out + self.err).splitlines()
        return [line for line in lines if line.lstrip().startswith(("::", "##["))]


@dataclass
class Job:
    """What one run of the action left behind."""

    steps: dict[str, Ran]
    outputs: dict[str, str]
    summary: str

    @property
    def is_good(self) -> bool:
        return all(step.outcome != "failure" for step in self.steps.values())

    @property
    def told(self) -> str:
        return "".join(f"== {name}: {ran.code}\n{ran.out}{ran.err}" for name, ran in self.steps.items())

    def __getitem__(self, name: str) -> Ran:
        return self.steps[name]


def run_action(path: Path, inputs: dict[str, str], github: dict, environ: dict[str, str], workspace: Path) -> Job:
    """Run every step of the action at `path` in `workspace`."""
    action = yaml.safe_load(path.read_text("utf-8"))
    unknown = set(inputs) - set(action["inputs"])
    assert not unknown, f"no inputs of the action: {unknown}"
    context: dict = {"github": github, "steps": {}, "inputs": {}}
    for name, about in action["inputs"].items():
        context["inputs"][name] = inputs.get(name, _filled(about["default"], context, True))
    temp = Path(environ["RUNNER_TEMP"])
    summary, paths = temp / "summary.md", temp / "path"
    summary.touch()
    paths.touch()
    steps: dict[str, Ran] = {}
    for step in action["runs"]["steps"]:
        assert set(step) <= STEP_KEYS
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "a value that is put into a script can be a script"
        good = all(ran.outcome != "failure" for ran in steps.values())
        ran = Ran(None)
        if _evaluate(_EXPRESSION.sub(r"\1", step["if"]) if "if" in step else "success()", context, good):
            said = {name: _filled(value, context, good) for name, value in step.get("env", {}).items()}
            ran = _run(step["run"], {**environ, **said}, temp, workspace)
        steps[step["id"]] = ran
        context["steps"][step["id"]] = {"outputs": ran.outputs, "outcome": ran.outcome}
    outputs = {name: _filled(about["value"], context, True) for name, about in action["outputs"].items()}
    return Job(steps, outputs, summary.read_text("utf-8"))


def _run(script: str, environ: dict[str, str], temp: Path, workspace: Path) -> Ran:
    file, output = temp / "step.sh", temp / "output"
    file.write_text(script)
    output.write_text("")
    added = (temp / "path").read_text().split()
    environ = {
        **environ,
        "PATH": os.pathsep.join([*reversed(added), environ["PATH"]]),
        "GITHUB_OUTPUT": str(output), "GITHUB_PATH": str(temp / "path"),
        "GITHUB_STEP_SUMMARY": str(temp / "summary.md"),
    }  # fmt: skip
    done = subprocess.run(
        [*SHELL, str(file)], cwd=workspace, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
    return Ran(done.returncode, done.stdout, done.stderr, outputs)


def _filled(text: str, context: dict, good: bool) -> str:
    return _EXPRESSION.sub(lambda found: _shown(_evaluate(found[1], context, good)), str(text))


def _shown(value: object) -> str:
    return {True: "true", False: "false", None: ""}.get(value, value) if not isinstance(value, str) else value  # type: ignore[call-overload, return-value]


def _evaluate(text: str, context: dict, good: bool) -> object:
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        assert found, f"not understood: {text[at:]}"
        tokens.append(found[0].strip())
        at = found.end()
    value = _any(tokens, context, good)
    assert not tokens, f"left over: {tokens}"
    return value


def _any(tokens: list[str], context: dict, good: bool) -> object:
    value = _all(tokens, context, good)
    while tokens[:1] == ["||"]:
        tokens.pop(0)
        other = _all(tokens, context, good)
        value = value or other
    return value


def _all(tokens: list[str], context: dict, good: bool) -> object:
    value = _compared(tokens, context, good)
    while tokens[:1] == ["&&"]:
        tokens.pop(0)
        other = _compared(tokens, context, good)
        value = value and other
    return value


def _compared(tokens: list[str], context: dict, good: bool) -> object:
    value = _one(tokens, context, good)
    if tokens[:1] in (["=="], ["!="]):
        wanted = tokens.pop(0) == "=="
        other = _one(tokens, context, good)
        return (str(value or "").lower() == str(other or "").lower()) == wanted
    return value


def _one(tokens: list[str], context: dict, good: bool) -> object:
    token = tokens.pop(0)
    if token == "!":
        return not _one(tokens, context, good)
    if token.startswith("'"):
        return token[1:-1].replace("''", "'")
    if tokens[:2] == ["(", ")"]:
        del tokens[:2]
        return {"success": good, "cancelled": False}[token]
    value: object = context
    for name in token.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
