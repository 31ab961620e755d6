"""`reconcile schema [KIND]`: the published JSON Schema, for editors and other tools."""

from __future__ import annotations

import os
from importlib.resources import files

import click

from reconciler.errors import ReconcileError
from schemas.resources.documents import KINDS
from schemas.whole_file import write_whole

SCHEMA_MODE = 0o644


@click.command("schema")
@click.argument("kind", metavar="[KIND]", required=False, type=click.Choice(list(KINDS), case_sensitive=False))
@click.option("--out", metavar="FILE", help="Write it there, and say which line names it in a manifest.")
def command(kind: str | None, out: str | None) -> None:
    """Print the JSON Schema of all kinds, or of one.

    An editor with the YAML language server completes and checks a manifest by it when the manifest's first line names
    it, by a path from the manifest's own folder or by an URL.

    \b
    Example:
      reconcile schema --out manifests/dialplane.json
      reconcile schema > dialplane.json
      reconcile schema Trunk
    """
    name = kind.lower() if kind is not None else "dialplane"
    text = files("schemas").joinpath("published", "json-schema", f"{name}.json").read_text(encoding="utf-8")
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        write_whole(out, text.encode(), SCHEMA_MODE, replace=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ReconcileError(f"{out} cannot be written: {reason}", "name another file with --out") from error
    click.echo("The first line of each manifest in that folder:", err=True)
    click.echo(f"# yaml-language-server: $schema={os.path.basename(out)}")
