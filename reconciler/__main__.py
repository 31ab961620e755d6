"""The `reconcile` script, and `python -m reconciler`: quiet about Ctrl-C from its first moment to its last.

Until the command line has been imported, and once its work is done, nobody is there to catch an interrupt, and Python
would print a traceback from wherever it stands: there the kernel's own answer, to end the program, is the right one.
"""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from reconciler.cli import main as run

    run()


if __name__ == "__main__":
    main()
