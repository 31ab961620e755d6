"""EDGE. Plan files on the disk: written whole and for their owner alone, read with a bound."""

from __future__ import annotations

import os
import stat

from reconciler.errors import ReconcileError
from reconciler.plan.saved import SavedPlan, SavedPlanError, decode, encode
from schemas.whole_file import write_whole

PLAN_BYTES_MAX = 256 * 1024 * 1024
"""A plan of a quarter of a million objects is a third of it."""


def write_plan(path: str, plan: SavedPlan, key: bytes | None) -> None:
    """Put a plan at `path`, whole, with mode 0600; a file that is there is replaced, a link is not followed."""
    data = encode(plan, key)
    if len(data) > PLAN_BYTES_MAX:
        raise ReconcileError(f"{path}: the plan would take {len(data):,} bytes", "apply without a plan file")
    try:
        write_whole(path, data, replace=True)
    except OSError as error:
        raise ReconcileError(f"{path} cannot be written: {error.strerror}", "name another file with --out") from error


def read_plan(path: str, key: bytes | None) -> SavedPlan:
    """The plan at `path`. Raises ReconcileError."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ReconcileError(f"{path} is no regular file", "name a plan file")
            data = file.read(PLAN_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ReconcileError(
            f"{path} cannot be read: {reason}", "make it with: reconcile plan DIR --out FILE"
        ) from error
    if len(data) > PLAN_BYTES_MAX:
        raise ReconcileError(f"{path} is too large for a plan", "name a plan file")
    try:
        return decode(data, key)
    except SavedPlanError as error:
        raise ReconcileError(f"{path}: {error.what}", error.hint) from error
