"""Tables for people: drawn on a terminal, plain columns in a pipe, where nothing is cut off."""

from __future__ import annotations

from rich.console import Console
from rich.table import Column, Table

PIPE_WIDTH = 1_000
"""Columns of what is no terminal: a line is for a program, and an id in it has to be whole."""


def console() -> Console:
    """Where a command's words go, as they are: a stranger's name is no markup, whatever it looks like."""
    made = Console(markup=False, emoji=False, highlight=False)
    if not made.is_terminal:
        made.width = PIPE_WIDTH
    return made


def table(out: Console, title: str, *headers: str, whole: str) -> Table:
    """A table with these columns, of which `whole` is broken last, since it is what people copy."""
    columns = [Column(header, no_wrap=header == whole) for header in headers]
    made = Table(*columns, title=title, title_justify="left")
    if not out.is_terminal:
        made.box, made.pad_edge, made.title_style = None, False, ""
    return made
