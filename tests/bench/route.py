"""What one routing decision costs at 1,000, 100,000 and 1,000,000 numbers, beside a bare dict lookup.

    python -m tests.bench.route [COUNT ...]

Each thousand numbers have a trunk and a rule of their own; all trunks let in the same eight networks of one carrier
and serve only their own numbers, and a few rules by prefix apply to all. Budgets: a decision <= 10 µs at a million
and independent of the count; <= 300 bytes per number. Bytes are counted by tracemalloc: `rows` are the row objects and
their own strings, `tables` what `Tables` adds to them (three maps, the indexes, the compiled trunks and rules),
`total` what is left when only `Tables` holds the rows.
"""

from __future__ import annotations

import gc
import random
import sys
import time
import tracemalloc
from collections.abc import Callable

from schemas.tables.lookup import CallFacts, decide
from schemas.tables.rows import Delta, Inbound, NumberRow, RoomKind, Row, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables
from tests.bench.figures import Figure, report

COUNTS = (1_000, 100_000, 1_000_000)
PER_TRUNK = 1_000
CALLS = 20_000
ROUNDS = 7
GROWTH_MAX = 1.5
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
    """The best of some rounds, per call: CPU time, which a busy machine disturbs least."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        run()
        best = min(best, time.process_time() - began)
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


def figures(results: list[dict[str, float]]) -> list[Figure]:
    """The largest count's, and how they grew from the smallest's."""
    first, last = results[0], results[-1]
    few, many = (f"{result['numbers']:,} numbers" for result in (first, last))
    bare, best = "one look into a dict of the numbers", f"CPU, best of {ROUNDS}"
    return [
        Figure(
            id="decision", what=f"a route decision at {many}", how=best,
            value=last["served_us"], unit="µs", reference=last["bare_dict_us"], beside=bare, budget=10.0,
        ),
        Figure(
            id="decision-stranger", what=f"a stranger refused at {many}", how=best, value=last["stranger_us"],
            unit="µs", reference=last["bare_dict_us"], beside=bare, budget=10.0,
        ),
        Figure(
            id="decision-few", what=f"a route decision at {few}", how=best,
            value=first["served_us"], unit="µs", reference=first["bare_dict_us"], beside=bare, budget=10.0,
        ),
        Figure(
            id="decision-growth", what=f"a route decision at {many}, whatever their count", how=best, unit="µs",
            value=last["served_us"], reference=first["served_us"], beside=f"the same at {few}", budget=GROWTH_MAX,
            budget_is_ratio=True,
        ),
        Figure(
            id="bytes-per-number", what=f"memory per number at {many}: rows and indexes", how="tracemalloc",
            value=last["total_bytes"], unit="bytes", reference=last["rows_bytes"],
            beside="the rows alone, without an index", budget=300.0,
        ),
        Figure(
            id="one-row", what=f"one changed row taken in at {many}", how=best, value=last["one_row_applied_us"],
            unit="µs", reference=first["one_row_applied_us"], beside=f"the same at {few}",
        ),
    ]  # fmt: skip


def main() -> None:
    """Measure each count and report."""
    counts = [int(text) for text in sys.argv[1:]] or COUNTS
    results = []
    for count in counts:
        result = {"numbers": count, **timed(count), **{f"{k}_bytes": v for k, v in bytes_per_number(count).items()}}
        results.append({key: round(value, 3) for key, value in result.items()})
    report(figures(results), by_count=results)


if __name__ == "__main__":
    main()
