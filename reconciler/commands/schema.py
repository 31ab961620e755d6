"""`reconcile schema [KIND]`: the published JSON Schema, for editors and other tools."""

from __future__ import annotations

from importlib.resources import files

import click

from schemas.resources.documents import KINDS


@click.command("schema")
@click.argument("kind", metavar="[KIND]", required=False, type=click.Choice(list(KINDS), case_sensitive=False))
def command(kind: str | None) -> None:
    """Print the JSON Schema of all kinds, or of one.

    \b
    Example:
      reconcile schema > dialplane.json
      reconcile schema Trunk
    """
    name = kind.lower() if kind is not None else "dialplane"
    text = files("schemas").joinpath("published", "json-schema", f"{name}.json").read_text(encoding="utf-8")
    click.echo(text, nl=False)
