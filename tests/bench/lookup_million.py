"""What one routing decision costs at 1,000, 100,000 and 1,000,000 numbers, beside a bare dict lookup.

    python tests/bench/lookup_million.py [COUNT ...]

Each thousand numbers have a trunk and a rule of their own; all trunks let in the same eight networks of one carrier
and serve only their own numbers, and a few rules by prefix apply to all. Budgets: a decision <= 10 µs at a million
and independent of the count; <= 300 bytes per number; a million numbers load in <= 5 s. Prints lines for people, then
one line of JSON. Bytes are counted by tracemalloc: `rows` are the row objects and their own strings, `tables` what
`Tables` adds to them (three maps, the indexes, the compiled trunks and rules), `total` what is left when only
`Tables` holds the rows.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import time
import tracemalloc
from collections.abc import Callable

from schemas.tables.lookup import CallFacts, decide
from schemas.tables.rows import Delta, Inbound, NumberRow, RoomKind, Row, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables

COUNTS = (1_000, 100_000, 1_000_000)
PER_TRUNK = 1_000
CALLS = 20_000
ROUNDS = 5
NETWORKS = tuple(f"54.172.{i}.0/30" for i in range(8))


def made_rows(count: int) -> Rows:
    """A state of `count` numbers; references share their strings, as the codec's do."""
    tenants = max(1, count // PER_TRUNK)
    trunks = [TrunkRow(f"t{i}/carrier", Inbound(NETWORKS, called_declared_only=True)) for i in range(tenants)]
    rules = [RuleRow(f"t{i}/support", RoomKind.INDIVIDUAL, "call", trunks=(trunks[i].id,)) for i in range(tenants)]
    prefixes = [RuleRow(f"all/p{i}", RoomKind.DIRECT, "p", to=("+1" + "5" * i + "*",), priority=9) for i in (2, 4, 6)]
    numbers = [
        NumberRow(f"t{i % tenants}/number-{i}", number_of(i), trunks[i % tenants].id, rules[i % tenants].id)
        for i in range(count)
    ]
    return Rows(
        {row.id: row for row in trunks},
        {row.id: row for row in (*rules, *prefixes)},
        {row.id: row for row in numbers},
    )


def number_of(index: int) -> str:
    """The E.164 number of one row."""
    return f"+1{2_000_000_000 + index}"


def calls(count: int, kind: str) -> list[CallFacts]:
    """Calls to random numbers: served, not served on a known trunk, or from a stranger."""
    rng = random.Random(7)
    source = "198.51.100.7" if kind == "stranger" else "54.172.3.1"
    first = count if kind == "unserved" else 0
    return [CallFacts(source, number_of(first + rng.randrange(count)), "+14155550100") for _ in range(CALLS)]


def microseconds(run: Callable[[], object], per: int) -> float:
    """The best of some rounds, per call."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
    return best / per * 1e6


def timed(count: int) -> dict[str, float]:
    """Load time in seconds, the others in microseconds."""
    rows = made_rows(count)
    gc.collect()
    gc.freeze()  # as a bridge does after loading: a million rows are not to be walked again and again
    began = time.perf_counter()
    tables = Tables.build(rows)
    out = {"load_s": time.perf_counter() - began}
    for kind in ("served", "unserved", "stranger"):
        facts = calls(count, kind)
        out[f"{kind}_us"] = microseconds(lambda facts=facts: [decide(tables, one) for one in facts], CALLS)
    bare = {row.number: row for row in rows.numbers.values()}
    dialled = [one.called for one in calls(count, "served")]
    out["bare_dict_us"] = microseconds(lambda: [bare.get(number) for number in dialled], CALLS)
    deltas = [Delta((NumberRow(f"x/{i}", number_of(count + i), "t0/carrier", "t0/support"),)) for i in range(500)]
    out["one_row_applied_us"] = microseconds(lambda: [tables.applied(delta) for delta in deltas], len(deltas))
    gc.unfreeze()
    return out


def bytes_per_number(count: int) -> dict[str, float]:
    """Bytes by tracemalloc, per number."""
    gc.collect()
    tracemalloc.start()
    rows = made_rows(count)
    listed: tuple[Row, ...] = (*rows.trunks.values(), *rows.rules.values(), *rows.numbers.values())
    del rows
    held = tracemalloc.get_traced_memory()[0] - sys.getsizeof(listed)
    tables = Tables().applied(Delta(listed))
    del listed
    gc.collect()
    total = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(tables.numbers.by_id) == count
    return {"rows": held / count, "tables": (total - held) / count, "total": total / count}


def main() -> None:
    """Measure each count and print."""
    counts = [int(text) for text in sys.argv[1:]] or COUNTS
    results = []
    for count in counts:
        result = {"numbers": count, **timed(count), **{f"{k}_bytes": v for k, v in bytes_per_number(count).items()}}
        results.append({key: round(value, 3) for key, value in result.items()})
        print(
            f"{count:>9,} numbers: decision {result['served_us']:.1f} µs served, {result['unserved_us']:.1f} not "
            f"served, {result['stranger_us']:.1f} stranger (bare dict {result['bare_dict_us']:.2f}); "
            f"load {result['load_s']:.2f} s; one row applied {result['one_row_applied_us']:.0f} µs; "
            f"bytes per number {result['total_bytes']:.0f} "
            f"(rows {result['rows_bytes']:.0f}, tables {result['tables_bytes']:.0f})"
        )
    print(json.dumps({"bench": "lookup_million", "results": results}))


if __name__ == "__main__":
    main()
