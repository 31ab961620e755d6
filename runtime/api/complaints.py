"""What aiohttp complains of, in one short line now and then: its own are tracebacks that quote what was sent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError

COMPLAINT_EVERY_S = 60.0
"""Anybody who reaches the port can cause complaints: one of each kind in so long is told."""


def complaints_to(log: Callable[..., None], listener: str) -> logging.Logger:
    """A logger for aiohttp's server that tells `log` what kind of thing went wrong, and nothing that was sent."""
    logger = logging.Logger("dialplane.api", logging.WARNING)
    logger.addHandler(_Short(log, listener))
    return logger


class _Short(logging.Handler):
    def __init__(self, log: Callable[..., None], listener: str) -> None:
        super().__init__()
        self._log = log
        self._listener = listener
        self._next_at: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of it. What strangers send keeps no fault of ours from being told."""
        fault = record.exc_info[1] if record.exc_info else None
        if isinstance(fault, HttpProcessingError | RequestPayloadError):
            self._tell("was sent what is no HTTP request")
        else:
            self._tell("could not answer a request", fault=type(fault).__name__ if fault else record.levelname)

    def _tell(self, words: str, **fields: str) -> None:
        now = time.monotonic()
        if now >= self._next_at.get(words, now):
            self._next_at[words] = now + COMPLAINT_EVERY_S
            self._log(f"{self._listener} {words} (told once a minute)", **fields)
