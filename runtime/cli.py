"""The command line of the bridge; each command is a module of `runtime.commands`, imported when it is called.

Errors are one sentence and a next step; a traceback is always a bug of ours.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib.metadata import version as installed_version

import click

from runtime.errors import BridgeError
from schemas.commands import Commands, Entry
from schemas.environment import EnvFileError, is_plain, load_env_file
from schemas.stores import StoreError

EXIT_INTERRUPTED = 130


COMMANDS = {
    "up": Entry("runtime.commands.serve:up", "Run a reconciler on DIR and a bridge, together on this machine."),
    "run": Entry("runtime.commands.serve:run", "Answer calls from the live tables, which a reconciler keeps."),
    "call": Entry("runtime.commands.call:call", "Place a test call, and say in words what was heard."),
    "answer": Entry("runtime.commands.answer:answer", "Be a phone that waits for one call."),
    "dial": Entry("runtime.commands.dial:dial", "Call a number through a trunk, into a room."),
    "transfer": Entry("runtime.commands.transfer:transfer", "Send a phone that is in a room on to another number."),
    "calls": Entry("runtime.commands.calls:calls", "Show the live calls and the newest ended ones."),
    "hold": Entry("runtime.commands.steer:hold", "Put the phone of a live call on hold."),
    "resume": Entry("runtime.commands.steer:resume", "Take the phone of a live call back from hold."),
    "pick-up": Entry("runtime.commands.steer:pick_up", "Answer a phone that rings, with `answer: onRequest`."),
    "keep": Entry("runtime.commands.steer:keep", "Wait no more for the transfer of a live call."),
    "doctor": Entry(
        "runtime.commands.doctor:doctor", "Tell whether the bridge is well, and what to do where it is not."
    ),
}
"""The commands in the order of their use, with what `--help` says of each."""


@click.group(
    cls=Commands,
    entries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(installed_version("dialplane"), prog_name="bridge")
def bridge() -> None:
    """Answer phone calls from the live tables and bring them into rooms.

    \b
    Example, on one machine, nothing else needed:
      bridge up                                   answers calls by the first example
      bridge call sip:+15550100000@127.0.0.1      calls it, from a second terminal
      bridge answer                               a phone that waits to be called, by bridge dial
    """


def main() -> None:
    """What `__main__` runs. A command that has something to do about an interrupt takes care of it itself."""
    quiet = signal.getsignal(signal.SIGINT)
    try:
        load_env_file()
        code = _run()
    except EnvFileError as fault:
        _show_error(str(fault))
        code = 1
    except (click.exceptions.Abort, KeyboardInterrupt):
        code = EXIT_INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, quiet)
    sys.exit(code)


def _run() -> int:
    try:
        return int(bridge(standalone_mode=False, color=_colour()) or 0)
    except click.ClickException as fault:
        if isinstance(fault, click.UsageError) and fault.ctx is not None:
            click.echo(fault.ctx.get_usage(), err=True)
        _show_error(fault.format_message())
        return fault.exit_code
    except BridgeError as fault:
        _show_error(str(fault))
        return fault.exit_code
    except StoreError as fault:
        _show_error(f"{fault.where}: {fault.what}\n  {fault.hint}")
        return 1


def _show_error(text: str) -> None:
    click.echo(click.style("error: ", fg="red", bold=True) + text, err=True, color=_colour())


def _colour() -> bool | None:
    """None = on a terminal."""
    return False if is_plain(os.environ) else None
