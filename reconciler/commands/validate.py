"""`reconcile validate DIR…`: everything that is wrong with manifests, at once, without touching anything."""

from __future__ import annotations

import click

from reconciler.commands.common import has_errors, reach_of, read, show_problems
from reconciler.commands.options import Given, output_option, secrets_option
from reconciler.commands.progress import patience
from reconciler.errors import EXIT_ERROR
from reconciler.loop import declared_by
from reconciler.manifests.folder import Reading, in_order
from reconciler.manifests.vault import Vault
from reconciler.model.desired import desire
from reconciler.model.live import Live
from reconciler.plan.problems import counted
from schemas.environment import variables
from schemas.problems import Problem


@click.command("validate")
@click.argument("sources", metavar="DIR...", nargs=-1, required=True)
@output_option("text", "json", "github")
@secrets_option
@click.pass_context
def command(ctx: click.Context, sources: tuple[str, ...], form: str, given: Given) -> None:
    """Check manifests: folders, files, or `-` for standard input.

    Needs neither tables nor secrets: one that is missing is a warning. Exit code 0 when there are at most warnings, 1
    when there are errors.

    \b
    Example:
      reconcile validate manifests/
      kustomize build overlays/prod | reconcile validate -
    """
    reading = read(sources)
    settings = given.settings()
    vault = Vault(settings.secrets, variables(), None, needed=False, reach=reach_of(settings, sources))
    with patience("checking"):
        between = desire(declared_by(reading, vault), Live()).problems
    problems = in_order([*reading.problems, *between])
    show_problems(problems, reading, form, err=False)
    if form == "text":
        click.echo(_summary(reading, problems))
    if has_errors(problems):
        ctx.exit(EXIT_ERROR)


def _summary(reading: Reading, problems: list[Problem]) -> str:
    """`3 documents in 2 files: no problems`."""
    files = reading.sources.values()
    documents = sum(len(file.sources) for file in files)
    notes = f" ({len(reading.notes)} of other API groups skipped)" if reading.notes else ""
    return f"{_many(documents, 'document')}{notes} in {_many(len(files), 'file')}: {counted(problems)}"


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
