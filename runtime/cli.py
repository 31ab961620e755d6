"""The command line of the bridge; each command's work is in `runtime.commands`.

Errors are one sentence and a next step; a traceback is always a bug of ours.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib.metadata import version as installed_version

import click

from runtime.commands.answer import answer
from runtime.commands.call import call
from runtime.commands.calls import calls
from runtime.commands.dial import dial
from runtime.commands.doctor import doctor
from runtime.commands.serve import run, up
from runtime.commands.steer import hold, keep, pick_up, resume
from runtime.commands.transfer import transfer
from runtime.errors import BridgeError
from schemas.environment import EnvFileError, is_plain, load_env_file
from schemas.stores import StoreError

EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(installed_version("dialplane"), prog_name="bridge")
def bridge() -> None:
    """Answer phone calls from the live tables and bring them into rooms.

    \b
    Example, on one machine, nothing else needed:
      bridge up                                   answers calls by the first example
      bridge call sip:+15550100000@127.0.0.1      calls it, from a second terminal
      bridge answer                               a phone that waits to be called, by bridge dial
    """


for command in (up, run, call, answer, dial, transfer, calls, hold, resume, pick_up, keep, doctor):
    bridge.add_command(command)


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
