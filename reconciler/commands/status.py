"""`reconcile status`: every object of this owner with its conditions, and the bridges that have it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import click

from reconciler.commands.common import opened_there, show_json
from reconciler.commands.options import Given, is_colourful, output_option, settings_options
from reconciler.model.conditions import Bridge, conditions
from reconciler.model.live import rows_of
from reconciler.model.records import Record, decode_record, key_of_record
from reconciler.model.sources import Key
from reconciler.plan.pinned import pin_json
from reconciler.targets.tables import pin_of
from schemas.resources.conditions import Condition
from schemas.stores import Snapshot, Store
from schemas.tables.rows import Kind

FORMAT_VERSION = 1
_COLUMNS = ("OBJECT", "READY", "REVISION", "PLACE", "WHY")
_NO_RECORD = Record("", None)


@dataclass(frozen=True, slots=True)
class ObjectStatus:
    """One object: where it is declared, since which revision its row is live (0 = it has none), its conditions."""

    key: Key
    place: str
    revision: int
    conditions: tuple[Condition, ...]


@click.command("status")
@output_option("text", "json")
@settings_options
def command(form: str, given: Given) -> None:
    """Show the live objects of this owner with their conditions, and the bridges that answer calls by them.

    Ready means: accepted, its references found, and in use by every running bridge of its regions.

    \b
    Example:
      reconcile status
      reconcile status -o json
    """
    settings = given.settings()
    with opened_there(settings) as store:
        snapshot, pin = store.load(), pin_of(store.aim(settings.owner))
        bridges = [Bridge(ack.name, ack.region, ack.revision) for ack in store.bridges(time.time())]
        objects = _objects(store, snapshot, settings.owner, bridges)
    if form == "json":
        show_json({**_as_json(settings.owner, snapshot.revision, bridges, objects), "pinned": pin_json(pin)})
        return
    _show(settings.owner, snapshot.revision, bridges, objects)
    if pin is not None:
        click.echo(f"{pin}, {pin.until}")


def _objects(store: Store, snapshot: Snapshot, owner: str, bridges: list[Bridge]) -> list[ObjectStatus]:
    records = {key_of_record(name): decode_record(data) for name, data in store.goods(owner).items()}
    mine = [key for key, name in snapshot.owners.items() if name == owner]
    out = []
    for kind in Kind:
        ids = {id_ for other, id_ in (*mine, *records) if other is kind}
        rows = rows_of(snapshot.rows, kind)
        for id_ in sorted(ids):
            key = (kind, id_)
            record = records.get(key, _NO_RECORD)
            row = rows.get(id_) if snapshot.owners.get(key) == owner else None
            changed = snapshot.changed.get(key, 0) if row is not None else 0
            found = conditions(row, changed, record.verdicts, snapshot.rows, bridges)
            out.append(ObjectStatus(key, _place(snapshot, key, record), changed, found))
    return out


def _place(snapshot: Snapshot, key: Key, record: Record) -> str:
    declared = snapshot.declared.get(key)
    if declared is None or not declared.file:
        return record.file
    return f"{declared.file}:{declared.line}" if declared.line else declared.file


def _show(owner: str, revision: int, bridges: list[Bridge], objects: list[ObjectStatus]) -> None:
    rows = [_COLUMNS]
    for status in objects:
        ready = status.conditions[-1]
        why = f"{ready.reason}: {ready.message}" if ready.status != "True" else ""
        rows.append((f"{status.key[0]} {status.key[1]}", ready.status, str(status.revision or "-"), status.place, why))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    colour = is_colourful()
    for row in rows if objects else ():
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.echo(click.style(line, fg="red") if colour and row[1] == "False" else line)
    if not objects:
        click.echo(f"Nothing of the owner {owner} is live, and nothing is held back.")
    click.echo(f"revision {revision}; {_bridges(bridges)}")


def _bridges(bridges: list[Bridge]) -> str:
    if not bridges:
        return "no bridge is running"
    told = (f"{b.name}{f' ({b.region})' if b.region else ''} at revision {b.revision}" for b in bridges)
    return f"bridges: {', '.join(told)}"


def _as_json(owner: str, revision: int, bridges: list[Bridge], objects: list[ObjectStatus]) -> dict[str, Any]:
    return {
        "formatVersion": FORMAT_VERSION,
        "owner": owner,
        "revision": revision,
        "bridges": [{"name": b.name, "region": b.region, "revision": b.revision} for b in bridges],
        "objects": [
            {
                "kind": status.key[0].value,
                "namespace": status.key[1].partition("/")[0],
                "name": status.key[1].partition("/")[2],
                "place": status.place,
                "revision": status.revision,
                "conditions": [condition.model_dump(mode="json", exclude_none=True) for condition in status.conditions],
            }
            for status in objects
        ],
    }
