"""`reconcile`: manifests become live tables. The command line's frame; each command is a module of `commands`.

A command's module is imported when it is called, so that `--help` and completion answer at once. Whatever a person
can get wrong ends in one sentence on standard error and an exit code: 0 fine, 1 errors, 2 changes (`plan
--detailed-exitcode`), 3 refused as unsafe. A wrong option is 1 as well, because 2 means something else here.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from reconciler.commands.options import Given, is_colourful, settings_options
from reconciler.errors import EXIT_ERROR, ReconcileError
from schemas.commands import Commands, Entry
from schemas.environment import EnvFileError, load_env_file

EXIT_INTERRUPTED = 130

GARBAGE_THRESHOLD = 200_000
"""Manifests become hundreds of thousands of small values that live as long as the command, and none of them is in a
cycle: looking for cycles every 700 of them, as Python does by itself, takes a third of the time."""

COMMANDS = {
    "validate": Entry("reconciler.commands.validate:command", "Check manifests, without touching anything."),
    "plan": Entry("reconciler.commands.plan:command", "Show what apply would change."),
    "apply": Entry("reconciler.commands.apply:command", "Bring the live tables to what the manifests declare."),
    "watch": Entry("reconciler.commands.watch:command", "Apply whenever a manifest changes."),
    "operator": Entry("reconciler.commands.operator:command", "Apply what a Kubernetes cluster declares."),
    "explain": Entry("reconciler.commands.explain:command", "Say where a call would go, and why."),
    "test": Entry("reconciler.commands.test:command", "Run the RoutingTest documents."),
    "status": Entry("reconciler.commands.status:command", "Show every object, its conditions and the bridges."),
    "drift": Entry("reconciler.commands.drift:command", "Show what is live and not as it was applied, or is declared."),
    "comment": Entry("reconciler.commands.comment:command", "Keep a plan as the one comment on a pull request."),
    "history": Entry(
        "reconciler.commands.history:command", "Show the revisions of the live tables, and what one changed."
    ),
    "rollback": Entry("reconciler.commands.rollback:command", "Bring the live tables back to an earlier revision."),
    "import": Entry("reconciler.commands.importing:command", "Write manifests of what a LiveKit server holds."),
    "providers": Entry("reconciler.commands.providers:command", "Show what is known of SIP providers."),
    "schema": Entry("reconciler.commands.schema:command", "Print the JSON Schema of the manifests."),
}
"""The commands in the order of their use, with what `--help` says of each."""


@click.group(
    cls=Commands,
    entries=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--watch", metavar="DIR", help="The same as `reconcile watch DIR`.")
@settings_options
@click.version_option(package_name="dialplane", prog_name="reconcile")
@click.pass_context
def reconcile(ctx: click.Context, given: Given, watch: str | None) -> None:
    """Telephony as code: trunks, dispatch rules and phone numbers from YAML files to live tables.

    \b
    Examples:
      reconcile validate manifests/
      reconcile plan manifests/
      reconcile apply manifests/
      reconcile explain manifests/ --to +14155550100 --from +14155550199 --ip 203.0.113.5
    """
    ctx.obj = given
    if watch is not None:
        if ctx.invoked_subcommand is not None:
            raise click.UsageError("--watch DIR stands alone, write `reconcile watch DIR`", ctx)
        command = import_module("reconciler.commands.watch").command
        ctx.invoke(command, source=watch, given=given, exit_with_parent=False)
    elif ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    try:
        code = reconcile.main(args=list(arguments), prog_name="reconcile", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(error.ctx.get_usage(), err=True)
        _show_error(error.format_message())
    except ReconcileError as error:
        _show_error(str(error))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain about it once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_ERROR


def _show_error(text: str) -> None:
    word = click.style("error: ", fg="red", bold=True) if is_colourful(err=True) else "error: "
    click.echo(word + text, err=True)


def main() -> None:
    """What `__main__` runs. A command that has something to do about an interrupt takes care of it itself."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    quiet = signal.getsignal(signal.SIGINT)
    try:
        load_env_file()
        code = run(sys.argv[1:])
    except EnvFileError as error:
        _show_error(str(error))
        code = EXIT_ERROR
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, quiet)
    sys.exit(code)
