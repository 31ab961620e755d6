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
from difflib import get_close_matches
from importlib import import_module

import click

from reconciler.commands.options import Given, is_colourful, settings_options
from reconciler.errors import EXIT_ERROR, ReconcileError
from schemas.environment import EnvFileError, load_env_file

EXIT_INTERRUPTED = 130

GARBAGE_THRESHOLD = 200_000
"""Manifests become hundreds of thousands of small values that live as long as the command, and none of them is in a
cycle: looking for cycles every 700 of them, as Python does by itself, takes a third of the time."""

COMMANDS = {
    "validate": "Check manifests, without touching anything.",
    "plan": "Show what apply would change.",
    "apply": "Bring the live tables to what the manifests declare.",
    "watch": "Apply whenever a manifest changes.",
    "explain": "Say where a call would go, and why.",
    "test": "Run the RoutingTest documents.",
    "status": "Show every object, its conditions and the bridges.",
    "drift": "Show what is live and not as it was applied, or is declared.",
    "comment": "Keep a plan as the one comment on a pull request.",
    "history": "Show the revisions of the live tables, and what one changed.",
    "rollback": "Bring the live tables back to an earlier revision.",
    "import": "Write manifests of what a LiveKit server holds.",
    "providers": "Show what is known of SIP providers.",
    "schema": "Print the JSON Schema of the manifests.",
}
"""The commands in the order of their use, with what `--help` says of each."""


_MODULES = {"import": "importing"}
"""Commands whose names no module can have."""


class _Commands(click.Group):
    """Finds commands by name, and imports them only to run them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"reconciler.commands.{_MODULES.get(cmd_name, cmd_name)}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"there is no command {args[0]}, {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Commands,
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
