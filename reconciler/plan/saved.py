"""A plan as a file: what was reviewed, so that an apply later does this and nothing else.

The file holds the digest of what was live when it was made (tables, or a LiveKit server), the owner, what was allowed,
and each object as it is to be, but no secret: each is a keyed hash of its sealed value, or `unknown` where there was no
key. An apply makes the plan anew from the manifests, which alone say where the secrets are, and goes on only if it is
the one in the file: the file approves, it does not command. What it does command, the folder, the allowances and
adoptions, counts only under the keyed hash of the whole content (`mac`), or where the apply repeats them; and where
there is a key a file without one is none, or whoever edits it would only have to take the hash away.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from reconciler.model.secrets import secrets_in, without_values
from reconciler.plan.changes import Action, Change, Plan
from reconciler.plan.gates import Allowances
from schemas.seal import keyed_hash
from schemas.tables.codec import encode_row

FORMAT = "dialplane plan"
FORMAT_VERSION = 1
TABLES = "tables"
"""The address of our own tables; any other is a LiveKit server's."""
UNKNOWN = "unknown"
DIFFERENCES_MAX = 10
"""How many objects a message about a plan that no longer fits names."""

_CONTENT, _SECRET = "plan", "secret in a plan"
_AGAIN = "make the plan again"


class SavedPlanError(Exception):
    """Why a file is not to be carried out: what is wrong with it, and what to do."""

    def __init__(self, what: str, hint: str = _AGAIN) -> None:
        super().__init__(f"{what}, {hint}")
        self.what = what
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Order:
    """What a plan was made for: the owner, the folder, the target's address, and what the command line allowed.

    `adopt` and `take_over` are as they were given: which objects at LiveKit become this owner's.
    """

    owner: str
    source: str
    allowed: Allowances
    target: str = TABLES
    adopt: tuple[str, ...] = ()
    take_over: str = ""
    not_mine: tuple[str, ...] = ()

    @property
    def adopts(self) -> bool:
        """Whether objects become this owner's by it."""
        return bool(self.adopt or self.take_over or self.not_mine)


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan file. `changes` as `_entry` has them, by object. `is_signed`: whoever wrote it had the key."""

    revision: int
    digest: str
    order: Order
    changes: dict[str, Any]
    is_signed: bool = False


def saved(plan: Plan, order: Order, *, revision: int, digest: str, key: bytes | None) -> SavedPlan:
    """What a file about this plan holds. `key` is the one that secrets are sealed with, None where there is none."""
    return SavedPlan(revision, digest, order, _entries(plan, key), key is not None)


def encode(plan: SavedPlan, key: bytes | None) -> bytes:
    """The file's bytes."""
    order = plan.order
    content = {
        "format": FORMAT,
        "formatVersion": FORMAT_VERSION,
        "target": order.target,
        "revision": plan.revision,
        "digest": plan.digest,
        "owner": order.owner,
        "source": order.source,
        "allowed": {
            "deletes": order.allowed.deletes,
            "any": sorted(order.allowed.any),
            "unrouted": sorted(order.allowed.unrouted),
            "adopt": list(order.adopt),
            "takeOver": order.take_over,
            "notMine": list(order.not_mine),
            "purchases": order.allowed.purchases,
            "releases": order.allowed.releases,
        },
        "changes": plan.changes,
    }
    return (json.dumps({**content, "mac": _mac(content, key)}, indent=1, ensure_ascii=False) + "\n").encode()


def decode(data: bytes, key: bytes | None) -> SavedPlan:
    """The plan in a file. Raises SavedPlanError for one that is none, of another version, edited, or not signed."""
    content = _content(data)
    mac = content.pop("mac")
    if mac:
        if key is None:
            raise SavedPlanError("it was made with a key that is not here", "give this command the same state folder")
        if not hmac.compare_digest(mac.encode(), _mac(content, key).encode()):
            raise SavedPlanError("it was edited, or made with another key")
    elif key is not None:
        raise SavedPlanError("it is not signed with the key that is here", "make the plan again, with this key")
    try:
        said = content["allowed"]
        money = bool(said.get("purchases")), bool(said.get("releases"))
        allowed = Allowances(said["deletes"], frozenset(said["any"]), frozenset(said["unrouted"]), *money)
        adoption = tuple(said.get("adopt", ())), said.get("takeOver", ""), tuple(said.get("notMine", ()))
        order = Order(content["owner"], content["source"], allowed, content.get("target", TABLES), *adoption)
        return SavedPlan(content["revision"], content["digest"], order, dict(content["changes"]), bool(mac))
    except (KeyError, TypeError, ValueError):
        raise SavedPlanError("it is incomplete, or was edited") from None


def check(plan: SavedPlan, now: Plan, digest: str, key: bytes | None) -> None:
    """Raises SavedPlanError unless `now`, made on what is live with `digest`, is what was planned."""
    if digest != plan.digest and plan.order.target == TABLES:
        raise SavedPlanError(f"it was made on revision {plan.revision}, and the tables have changed since")
    if digest != plan.digest:
        raise SavedPlanError("what LiveKit holds has changed since it was made")
    others = list(_differences(plan.changes, _entries(now, key)))
    if others:
        more = f" and {len(others) - DIFFERENCES_MAX} more" if len(others) > DIFFERENCES_MAX else ""
        named = "; ".join(others[:DIFFERENCES_MAX])
        raise SavedPlanError(f"the manifests no longer come to what was planned: {named}{more}")


def _differences(planned: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    for name in sorted(planned.keys() | now.keys()):
        before, after = planned.get(name), now.get(name)
        if before is None:
            yield f"{name} would change too"
        elif after is None:
            yield f"{name} would not change, or not yet"
        elif {**before, "secrets": None} != {**after, "secrets": None}:
            yield f"{name} would become something else"
        elif field := _other_secret(before.get("secrets"), after["secrets"]):
            yield f"{name} would have another secret for {field}"


def _other_secret(planned: Any, now: dict[str, str]) -> str:
    """The first field whose secret is known to be another one; where either is not known, nobody can tell."""
    for field, value in now.items():
        before = planned.get(field) if isinstance(planned, dict) else None
        if before != value and UNKNOWN not in (before, value):
            return field
    return ""


def _entries(plan: Plan, key: bytes | None) -> dict[str, Any]:
    return {change.name: _entry(change, key) for change in plan.changes}


def _entry(change: Change, key: bytes | None) -> dict[str, Any]:
    """What is to be done to one object; the age of its claim follows from the tables."""
    row = change.new
    if row is None:
        return {"action": Action.DELETE.value, "row": None, "secrets": {}}
    plain = without_values(replace(row, claimed_since=0))
    hashes = {}
    for field, secret in secrets_in(row):
        place = f"{change.kind}/{row.id}/{field}".encode()
        known = key is not None and secret.sealed
        hashes[field] = keyed_hash(key, _SECRET, place + b"\0" + secret.sealed) if known and key else UNKNOWN
    moved: dict[str, Any] = {"from": change.moved_from} if change.moved_from else {}
    if change.beside:
        moved["beside"] = [[field.field, field.old, field.new] for field in change.beside]
    return {"action": change.action.value, **moved, "row": json.loads(encode_row(plain)), "secrets": hashes}


def _content(data: bytes) -> dict[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("mac"), str):
        raise SavedPlanError("it is no plan", "name a file that `reconcile plan DIR --out FILE` has written")
    if content.get("formatVersion") != FORMAT_VERSION:
        raise SavedPlanError(f"its format is not {FORMAT_VERSION}", "make the plan with this version of dialplane")
    return content


def _mac(content: dict[str, Any], key: bytes | None) -> str:
    if key is None:
        return ""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return keyed_hash(key, _CONTENT, canonical)
