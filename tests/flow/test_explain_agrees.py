"""`reconcile explain` and the bridge agree: the same manifests, 1,000 generated calls, one verdict."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from reconciler.cli import reconcile as command
from runtime.calls.record import CallRecord
from runtime.gate.pin_guesses import PinGuesses
from runtime.routing.route import Rejection
from schemas.seal import Sealer, unseals_nothing
from schemas.secret_key import read_key
from schemas.stores import open_tables
from schemas.tables.tables import Tables
from tests.flow.memory import Caller, World

WORLDS = 40
CALLS_PER_WORLD = 25
NETWORKS = ["198.51.100.0/24", "198.51.100.7/32", "203.0.113.0/28", "0.0.0.0/0"]
SOURCES = ["198.51.100.7", "198.51.100.9", "203.0.113.3", "203.0.113.77"]
NUMBERS = ["+15550100000", "+15550100001", "+15550200000", "+442071234567"]
PATTERNS = [*NUMBERS, "+1555*", "+1555010*", "+44*"]
SPELLED = [*NUMBERS, "15550100000", "+1 555-010-0001", "anonymous"]
REGIONS = ["eu", "us"]
PINS = ["1234", "99", "*7A"]
ENTRIES = [*PINS, "5555", ""]
"""The last one is `#` alone."""
MEDIA = [{"codecs": ["g722", "pcmu"]}, {"codecs": ["pcma", "opus"]}]


def some(random: Random, values: list[str], share: float) -> list[str]:
    """Each value with this chance."""
    return [value for value in values if random.random() < share]


def manifests(random: Random) -> list[dict[str, Any]]:
    """A handful of trunks, rules and numbers that may well clash, shadow and miss each other."""

    def document(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        return {"apiVersion": "dialplane.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}

    trunks = [f"t{n}" for n in range(random.randint(1, 4))]
    rules = [f"r{n}" for n in range(random.randint(0, 6))]
    out = []
    for name in trunks:
        inbound: dict[str, Any] = {"allowedAddresses": some(random, NETWORKS, 0.4) or [random.choice(NETWORKS)]}
        if callers := some(random, PATTERNS, 0.15):
            inbound["allowedNumbers"] = callers
        if random.random() < 0.3:
            inbound["calledNumbers"] = "declared"
        spec: dict[str, Any] = {"inbound": inbound}
        if regions := some(random, REGIONS, 0.2):
            spec["regions"] = regions
        out.append(document("Trunk", name, spec))
    for name in rules:
        kind = random.choice(["direct", "individual", "callee"])
        rule: dict[str, Any] = {"room": name} if kind == "direct" else {"roomPrefix": name}
        if kind != "direct" and random.random() < 0.5:
            rule["randomize"] = random.random() < 0.5
        spec = {"rule": {kind: rule}}
        match = {key: found for key in ("to", "from") if (found := some(random, PATTERNS, 0.2))}
        if match:
            spec["match"] = match
        if random.random() < 0.5:
            spec["trunkRefs"] = [{"name": random.choice(trunks)}]
        if random.random() < 0.3:
            spec["priority"] = random.randint(1, 3)
        if random.random() < 0.2:
            spec["hidePhoneNumber"] = True
        if random.random() < 0.1:
            spec["media"] = random.choice([{"codecs": ["g722", "pcmu"]}, {"codecs": ["pcma", "opus"]}])
        if random.random() < 0.3:
            spec["pinFrom"] = {"file": f"pin-{random.randrange(len(PINS))}"}
        out.append(document("DispatchRule", name, spec))
    for number in some(random, NUMBERS, 0.5):
        spec = {"number": number, "trunkRef": {"name": random.choice(trunks)}}
        if rules and random.random() < 0.6:
            spec["dispatchRuleRef"] = {"name": random.choice(rules)}
        if random.random() < 0.2:
            spec["direction"] = "outbound"
        out.append(document("PhoneNumber", f"n{NUMBERS.index(number)}", spec))
    return out


def reconcile(*words: str) -> str:
    """A `reconcile` command, its standard output."""
    done = CliRunner().invoke(command, [*words])
    return done.stdout


@pytest.mark.parametrize("seed", range(WORLDS))
def test_explain_and_the_bridge_agree(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    folder, url = tmp_path / "m", f"sqlite:///{tmp_path}/tables.db"
    folder.mkdir()
    (folder / "all.yaml").write_text(yaml.safe_dump_all(manifests(random)))
    for index, pin in enumerate(PINS):
        (folder / f"pin-{index}").write_text(pin)
    reconcile("--state", str(tmp_path / "state"), "--tables", url, "apply", str(folder))
    store = open_tables(url)
    tables = Tables.build(store.load().rows)
    store.close()
    region = random.choice(["", *REGIONS])
    key = read_key(str(tmp_path / "state"), {})
    world = World(tables, region=region, seed=seed, unseal=Sealer(key).unseal if key else unseals_nothing)
    for _ in range(CALLS_PER_WORLD):
        called, caller, source = random.choice(NUMBERS), random.choice(SPELLED), random.choice(SOURCES)
        before = len(world.records)
        world.switchboard.reception._prompting._guesses = PinGuesses()
        phone = world.caller(source, caller.replace(" ", ""))
        phone.dial(called)
        asking = ["explain", str(folder), "--to", called, "--from", phone.number, "--ip", source,
                  "--region", region, "-o", "json", "--state", str(tmp_path / "state")]  # fmt: skip
        told = json.loads(reconcile(*asking))
        decision = told["decision"]
        if len(world.booth):
            assert decision["outcome"] == "pin-needed", told
            entry = random.choice(ENTRIES)
            assert entered(world, phone, entry) == json.loads(reconcile(*asking, "--pin", entry))["decision"], entry
            continue
        assert json.loads(reconcile(*asking, "--pin", random.choice(ENTRIES)))["decision"] == decision
        if phone.status == 200:
            phone.hang_up()
            record = world.records[before]
            assert decision["outcome"] == "admitted", told
            assert (decision["trunk"], decision["rule"]) == (record.trunk, record.rule), told
            room, _, _ = str(decision["room"]).partition("*")
            assert record.room.startswith(room), told
        else:
            record = world.records[before]
            assert decision["outcome"] == "refused", (told, record)
            assert (decision["reason"], decision["sipStatus"]) == (record.reason, record.status), (told, record)


def entered(world: World, phone: Caller, entry: str) -> Told:
    """Enter this and hang up: what became of it, so that it equals what explain says of the same."""
    [call] = world.switchboard.live_calls()
    assert phone.session is not None
    phone.session.send_digits(entry + "#", world.now)
    world.step(0.5 * len(entry) + 0.6)
    tried = world.switchboard.reception._prompting._callers.get(call.id)
    phone.hang_up()
    record = world.records[-1]
    return Told(record, tried.refused if tried else None)


class Told:
    """The end of a call at the bridge, equal to a decision of `explain` that says the same."""

    def __init__(self, record: CallRecord, refused: Rejection | None) -> None:
        self.record, self.refused = record, refused

    def __eq__(self, decision: object) -> bool:
        assert isinstance(decision, dict)
        if decision["outcome"] == "admitted":
            room, _, _ = str(decision["room"]).partition("*")
            return decision["rule"] == self.record.rule and bool(room) and self.record.room.startswith(room)
        reason = self.refused.code if self.refused else self.record.reason
        told = (decision["outcome"], decision["reason"], decision["sipStatus"], self.record.room)
        return told == ("refused", reason, self.record.status, "")

    def __repr__(self) -> str:
        return f"{self.record} {self.refused}"

    __hash__ = None  # type: ignore[assignment]


def test_the_number_of_calls_is_what_the_claim_says() -> None:
    assert WORLDS * CALLS_PER_WORLD == 1000
