"""What both programs promise on every command: help with examples that are right, and colours for terminals alone."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from reconciler.cli import reconcile
from runtime.cli import bridge
from tests.terminal import on_a_terminal

PROGRAMS = {"reconcile": reconcile, "bridge": bridge}
ESCAPE = "\x1b["


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command of a program, groups and what is in them too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = [((program, *path), command) for program, group in PROGRAMS.items() for path, command in commands(group)]


def examples(program: str, command: click.Command) -> list[list[str]]:
    """The words of each command line in the examples of a command's help, of its own program."""
    text = re.split(r"Examples?\b.*:\n", command.help or "", maxsplit=1)
    lines = [line.strip() for line in text[1].splitlines()] if len(text) > 1 else []
    out = []
    for part in (part for line in lines for part in re.split(r"\s+(?:\||&&|;)\s+", line)):
        words = shlex.split(re.split(r"\s2?>\s|\s{3,}", part)[0])
        if words[:1] == [program]:
            out.append(words[1:])
    return out


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
def test_a_command_has_help_with_examples_that_it_understands(path: tuple[str, ...], command: click.Command) -> None:
    lines = examples(path[0], command)
    assert any(tuple(words[: len(path) - 1]) == path[1:] for words in lines), f"{' '.join(path)} has no example"
    for words in lines:
        with PROGRAMS[path[0]].make_context(path[0], [*words], resilient_parsing=False) as outer:
            group, left = PROGRAMS[path[0]], [*outer._protected_args, *outer.args]
            name, found, rest = group.resolve_command(outer, left)
            assert found is not None
            found.make_context(name, rest, parent=outer)
    for option in command.params:
        assert not isinstance(option, click.Option) or option.help, f"{option.opts} says nothing"
    assert command.get_short_help_str()


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_program_itself_shows_examples(program: str) -> None:
    assert examples(program, PROGRAMS[program])


MODULES = {"reconcile": "reconciler", "bridge": "runtime"}


@pytest.mark.parametrize(("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
@pytest.mark.parametrize("program", MODULES)
def test_errors_are_red_on_a_terminal_unless_somebody_minds(tmp_path: Path, program, environ, coloured):
    seen = on_a_terminal("-m", MODULES[program], "nonsense", cwd=tmp_path, **environ)
    assert (ESCAPE in seen) == coloured
    assert "error: " in seen


@pytest.mark.parametrize("coloured", [True, False])
def test_plans_and_problems_are_coloured_likewise(tmp_path: Path, coloured):
    document = {"apiVersion": "dialplane.dev/v1alpha1", "kind": "Trunk", "metadata": {"name": "a"}, "spec": {}}
    good = {**document, "spec": {"inbound": {"allowedAddresses": ["10.0.0.0/8"]}}}
    (tmp_path / "a.yaml").write_text(f"{json.dumps(good)}\n---\n{json.dumps({**document, 'kind': 'Tronk'})}\n")
    seen = on_a_terminal("-m", "reconciler", "plan", ".", cwd=tmp_path, **({} if coloured else {"NO_COLOR": "1"}))
    assert "Trunk default/a" in seen
    assert (ESCAPE in seen) == coloured
