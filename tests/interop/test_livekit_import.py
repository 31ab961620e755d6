"""What a genuine livekit-server holds, imported as a user would, planned, adopted, and then as declared."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from livekit import api
from livekit.protocol import sip

from reconciler.cli import run
from reconciler.targets.livekit.holdings import Info, id_of, marker_of
from reconciler.targets.livekit.writing import without_marker
from schemas.environment import parse_env
from tests.livekit_contents import contents, name_trunks
from tests.livekit_peers import KEY, SECRET, needs_livekit
from tests.livekit_telephony import Telephony

pytestmark = [needs_livekit, pytest.mark.peer("redis-server"), pytest.mark.xdist_group("livekit-telephony")]
OWNER = ["--owner", "mine"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telephony]:
    with Telephony(tmp_path_factory.mktemp("livekit")) as server:
        assert isinstance(server, Telephony)
        yield server


@pytest.fixture
def livekit(running: Telephony, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Telephony:
    running.empty()
    monkeypatch.chdir(tmp_path)
    for name, value in (("URL", running.url), ("API_KEY", KEY), ("API_SECRET", SECRET)):
        monkeypatch.setenv(f"LIVEKIT_{name}", value)
    return running


def make(livekit: Telephony, infos: list[Info]) -> None:
    """Create them as a person by hand would; what the server does not take is not there."""
    trunk_ids: dict[str, str] = {}
    for index, info in enumerate(infos):
        name_trunks([info], trunk_ids)
        try:
            if isinstance(info, sip.SIPInboundTrunkInfo):
                made = livekit.sip("create_inbound_trunk", sip.CreateSIPInboundTrunkRequest(trunk=info))
                trunk_ids[str(index)] = made.sip_trunk_id
            elif isinstance(info, sip.SIPOutboundTrunkInfo):
                livekit.sip("create_outbound_trunk", sip.CreateSIPOutboundTrunkRequest(trunk=info))
            else:
                livekit.sip("create_dispatch_rule", sip.CreateSIPDispatchRuleRequest(dispatch_rule=info))
        except api.TwirpError as error:
            if error.status >= 500:
                raise


def by_id(infos: list[Info]) -> dict[str, Info]:
    return {id_of(info): info for info in infos}


def plans(folder: str, capsys: pytest.CaptureFixture[str], *more: str, code: int) -> dict[str, Any]:
    capsys.readouterr()
    command = ["plan", folder, "--target", "livekit", *OWNER, "--detailed-exitcode", "-o", "json", *more]
    assert run(command) == code, capsys.readouterr()
    return dict(json.loads(capsys.readouterr().out))


@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(infos=contents())
def test_an_import_changes_nothing_but_marks_and_is_then_as_declared(
    livekit: Telephony,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    infos: list[Info],
) -> None:
    livekit.empty()
    make(livekit, infos)
    monkeypatch.chdir(tmp_path_factory.mktemp("import"))
    capsys.readouterr()
    before = by_id(livekit.objects())
    code = run(["import", "--from", "livekit", *OWNER, "--secrets-file", "secrets", "-o", "json"])
    report = json.loads(capsys.readouterr().out)
    assert by_id(livekit.objects()) == before
    assert {one["id"] for one in (*report["objects"], *report["left"])} == before.keys()
    endangered = [one["id"] for one in report["left"] if one["endangered"]]
    assert code == (1 if endangered else 0)
    if endangered or not report["objects"]:
        return
    for name, value in parse_env(Path("secrets").read_text()).items():
        monkeypatch.setenv(name, value)
    adopt = [word for one in report["adopt"] for word in ("--adopt", one)]
    changes = plans("manifests", capsys, *adopt, code=2 if adopt else 0)["changes"]
    assert all([field["field"] for field in change["fields"]] == ["owner"] for change in changes)
    assert run(["apply", "manifests", "--target", "livekit", *OWNER, *adopt]) == 0, capsys.readouterr()
    after = by_id(livekit.objects())
    assert after.keys() == before.keys()
    assert {id_ for id_ in after if after[id_] != before[id_]} == {one.partition("=")[0] for one in report["adopt"]}
    assert all(without_marker(after[id_]) == without_marker(before[id_]) for id_ in after)
    assert plans("manifests", capsys, code=0)["changes"] == []


def carrier(livekit: Telephony) -> None:
    auth = {"auth_username": "acme", "auth_password": "Tiger-in-the-trunk"}
    numbers = ["+14155550100", "+14155550101"]
    rule = sip.SIPDispatchRuleInfo(name="Support", numbers=numbers[:1], trunk_ids=["0"])
    rule.rule.dispatch_rule_direct.CopyFrom(sip.SIPDispatchRuleDirect(room_name="lobby", pin="4711"))
    rule.room_config.tags["a"] = "b"
    open_rule = sip.SIPDispatchRuleInfo(name="Everyone", trunk_ids=["ST_gone"])
    open_rule.rule.dispatch_rule_individual.room_prefix = "call"
    infos: list[Info] = [
        sip.SIPInboundTrunkInfo(name="Carrier (US)", numbers=numbers, **auth),
        sip.SIPOutboundTrunkInfo(name="Carrier (US)", numbers=numbers, address="sip.example.com", **auth),
        rule,
    ]
    make(livekit, infos)
    livekit.sip("create_dispatch_rule", sip.CreateSIPDispatchRuleRequest(dispatch_rule=open_rule))


def test_what_a_person_reads_and_copies(
    livekit: Telephony, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier(livekit)
    assert run(["import", "--from", "livekit", "--secrets-file", "secrets.env"]) == 0
    told = capsys.readouterr().out
    taking, placing, *rules = livekit.objects()
    support, gone = (next(rule for rule in rules if rule.name == name) for name in ("Support", "Everyone"))
    adopt = " ".join(
        f"--adopt {id_of(info)}=default/{name}"
        for info, name in sorted(
            [(support, "support"), (taking, "carrier-us"), (placing, "carrier-us")], key=lambda pair: id_of(pair[0])
        )
    )
    assert told == (
        f"""\
Left as they are, without a manifest:
  {id_of(gone)} dispatch rule "Everyone"
      trunk_ids: ST_gone is no trunk, or has no manifest

Stays at LiveKit, and is in no manifest:
  {id_of(support)} room_config.tags

To be set, in the environment or in .env:
  CARRIER_US_PASSWORD  Trunk default/carrier-us inbound.auth.passwordFrom
                       Trunk default/carrier-us outbound.auth.passwordFrom
  SUPPORT_PIN          DispatchRule default/support pinFrom

Written:
  manifests/trunks.yaml
  manifests/dispatch-rules.yaml
  manifests/phone-numbers.yaml
  manifests/dialplane.json
  manifests/adopt.txt
  secrets.env

Next, and it changes nothing there but whose the objects are:
  reconcile plan manifests --target livekit {adopt}
  reconcile apply manifests --target livekit {adopt}
"""
    )
    assert "Tiger" not in told
    assert Path("secrets.env").read_text() == 'CARRIER_US_PASSWORD="Tiger-in-the-trunk"\nSUPPORT_PIN="4711"\n'
    assert stat.S_IMODE(Path("secrets.env").stat().st_mode) == 0o600
    everything = "".join(path.read_text() for path in Path("manifests").iterdir())
    assert "Tiger" not in everything
    assert Path("manifests/phone-numbers.yaml").read_text() == (
        """\
# yaml-language-server: $schema=dialplane.json
apiVersion: dialplane.dev/v1alpha1
kind: PhoneNumber
metadata: {name: number-14155550100}
spec:
  number: "+14155550100"
  trunkRef: {name: carrier-us}
  dispatchRuleRef: {name: support}
---
apiVersion: dialplane.dev/v1alpha1
kind: PhoneNumber
metadata: {name: number-14155550101}
spec:
  number: "+14155550101"
  trunkRef: {name: carrier-us}
"""
    )
    for name, value in parse_env(Path("secrets.env").read_text()).items():
        monkeypatch.setenv(name, value)
    command = ["apply", "manifests", "--target", "livekit", "--adopt", "@manifests/adopt.txt"]
    assert run(command) == 0
    assert all(marker_of(info) is not None for info in livekit.objects() if id_of(info) != id_of(gone))
    assert run(["plan", "manifests", "--target", "livekit", "--detailed-exitcode"]) == 0
    # Who imports again finds the names and the variables of the first time.
    assert run(["import", "--from", "livekit", "--out", "again"]) == 0
    for name in ("trunks.yaml", "dispatch-rules.yaml", "phone-numbers.yaml"):
        assert (Path("again") / name).read_text() == (Path("manifests") / name).read_text()
    assert not Path("again/adopt.txt").exists()


def test_nothing_that_is_there_is_written_over(livekit: Telephony, capsys: pytest.CaptureFixture[str]) -> None:
    carrier(livekit)
    Path("manifests").mkdir()
    Path("manifests/trunks.yaml").write_text("mine")
    Path("secrets").write_text("OTHER=1\n")
    assert run(["import", "--from", "livekit"]) == 1
    assert "manifests/trunks.yaml: already there, nothing was written" in capsys.readouterr().err
    assert [path.name for path in Path("manifests").iterdir()] == ["trunks.yaml"]
    assert run(["import", "--from", "livekit", "--overwrite", "--secrets-file", "secrets"]) == 1
    assert (Path("secrets").read_text(), Path("manifests/trunks.yaml").read_text()) == ("OTHER=1\n", "mine")
    assert run(["import", "--from", "livekit", "--overwrite"]) == 0
    assert "carrier-us" in Path("manifests/trunks.yaml").read_text()


def test_manifests_on_standard_output_and_the_report_beside(
    livekit: Telephony, capsys: pytest.CaptureFixture[str]
) -> None:
    carrier(livekit)
    assert run(["import", "--from", "livekit", "--out", "-", "-o", "json"]) == 0
    said = capsys.readouterr()
    assert said.out.count("apiVersion: dialplane.dev/v1alpha1") == 4
    assert json.loads(said.err)["written"] == []
    assert not Path("manifests").exists()


def test_an_object_of_ours_that_no_manifest_can_say_is_told_as_in_danger(
    livekit: Telephony, capsys: pytest.CaptureFixture[str]
) -> None:
    marked = "dialplane.dev/owner=default kind=Trunk name=default/carrier"
    info = sip.SIPInboundTrunkInfo(numbers=["+14155550100"], allowed_addresses=["sip.example.com"], metadata=marked)
    livekit.sip("create_inbound_trunk", sip.CreateSIPInboundTrunkRequest(trunk=info))
    assert run(["import", "--from", "livekit"]) == 1
    assert "the next apply would delete it" in capsys.readouterr().out
