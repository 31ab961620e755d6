"""The command line of the bridge: `bridge up`, `run`, `call`, `calls`. Each command's work is in `runtime.commands`.

Errors are one sentence and a next step; a traceback is always a bug of ours.
"""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version

import click

from runtime.commands.call import call
from runtime.commands.calls import calls
from runtime.commands.serve import run, up
from runtime.errors import BridgeError
from schemas.environment import load_env_file
from schemas.stores import StoreError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(installed_version("dialplane"), prog_name="bridge")
def bridge() -> None:
    """Answer phone calls from the live tables and bring them into rooms.

    \b
    Example, on one machine, nothing else needed:
      bridge up                                   answers calls by the first example
      bridge call sip:+15550100000@127.0.0.1      calls it, from a second terminal
    """


for command in (up, run, call, calls):
    bridge.add_command(command)


def main() -> None:
    """Entry point of the `bridge` script."""
    try:
        load_env_file()
        sys.exit(bridge(standalone_mode=False) or 0)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as fault:
        fault.show()
        sys.exit(fault.exit_code)
    except BridgeError as fault:
        _show_error(str(fault))
        sys.exit(fault.exit_code)
    except StoreError as fault:
        _show_error(f"{fault.where}: {fault.what}\n  {fault.hint}")
        sys.exit(1)


def _show_error(text: str) -> None:
    click.echo(click.style("error: ", fg="red", bold=True) + text, err=True)


if __name__ == "__main__":
    main()
