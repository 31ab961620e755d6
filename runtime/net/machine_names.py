"""Names of hosts by the machine's own resolver, so that `/etc/hosts` and all that an administrator has set up counts.

It can only be asked in a thread, and cannot be told to stop: so each look-up has a thread of its own that holds up no
end of the process, and there are few.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

ASK_S_MAX = 5.0
"""How long a name may take; then nobody waits for it any more."""

THREADS_MAX = 16
"""Names that are looked up at once. The system's resolver may take half a minute over one that nobody answers for."""

_UNKNOWN = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


class NoAnswerError(Exception):
    """Nobody could say, now: that is no news of the name."""


class MachineNames:
    """One per bridge."""

    def __init__(self) -> None:
        self._running = 0

    async def addresses(self, host: str) -> tuple[str, ...]:
        """The addresses of a host in their order; none where it has none. NoAnswerError where nobody can say."""
        if self._running >= THREADS_MAX:
            raise NoAnswerError("too many names are being looked up")
        try:
            async with asyncio.timeout(ASK_S_MAX):
                return await self._in_thread(host)
        except socket.gaierror as fault:
            if fault.errno in _UNKNOWN:
                return ()
            raise NoAnswerError(str(fault)) from fault
        except TimeoutError as fault:
            raise NoAnswerError(f"no answer within {ASK_S_MAX:.0f} s") from fault
        except (OSError, UnicodeError) as fault:
            raise NoAnswerError(str(fault)) from fault

    async def _in_thread(self, host: str) -> tuple[str, ...]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[tuple[str, ...]] = loop.create_future()

        def tell(found: tuple[str, ...] | Exception) -> None:
            self._running -= 1
            if done.done():
                return
            if isinstance(found, Exception):
                done.set_exception(found)
            else:
                done.set_result(found)

        def run() -> None:
            found: tuple[str, ...] | Exception
            try:
                answers = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
                found = tuple(dict.fromkeys(str(address[0]) for *_, address in answers))
            except Exception as fault:
                found = fault
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(tell, found)

        self._running += 1
        threading.Thread(target=run, name="machine-names", daemon=True).start()
        return await done
