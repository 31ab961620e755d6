"""What aiohttp complains of, in one short line now and then: its own are tracebacks that quote what was sent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from aiohttp.http_exceptions import HttpProcessingError

COMPLAINT_EVERY_S = 60.0
"""Anybody who reaches the port can cause complaints: one in so long is told."""


def complaints_to(log: Callable[..., None]) -> logging.Logger:
    """A logger for aiohttp's server that tells `log` what kind of thing went wrong, and nothing that was sent."""
    logger = logging.Logger("dialplane.api", logging.WARNING)
    logger.addHandler(_Short(log))
    return logger


class _Short(logging.Handler):
    def __init__(self, log: Callable[..., None]) -> None:
        super().__init__()
        self._log = log
        self._next_at = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of it, unless something was told a moment ago."""
        now = time.monotonic()
        if now < self._next_at:
            return
        self._next_at = now + COMPLAINT_EVERY_S
        fault = record.exc_info[1] if record.exc_info else None
        if isinstance(fault, HttpProcessingError):
            self._log("the HTTP API was sent what is no HTTP request (told once a minute)")
        else:
            kind = type(fault).__name__ if fault is not None else record.levelname
            self._log("the HTTP API could not answer a request (told once a minute)", fault=kind)
