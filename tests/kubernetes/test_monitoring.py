"""What probes and scrapers are told by `reconcile operator --metrics`, on a genuine API server."""

from __future__ import annotations

import re
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.kubernetes.operating import Place, reason
from tests.peers import wait_for

pytestmark = [pytest.mark.peer("kubectl"), pytest.mark.xdist_group("kubernetes")]


def told(url: str) -> dict[tuple[str, ...], float]:
    """The samples, by name and the values of their labels in the order of the labels' names."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    prefix = "dialplane_operator_"
    return {(s.name.removeprefix(prefix), *(s.labels[key] for key in sorted(s.labels))): s.value for s in samples}


def status_of(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_an_operator_tells_what_it_does(place: Place) -> None:
    place.apply(place.trunk(), place.rule(trunkRefs=[{"name": "nobody"}]))
    with place.operator("--metrics", "127.0.0.1:0") as operator:
        place.until("trunk", "carrier", "Ready", reason("NoBridge"))
        place.until("dispatchrule", "support", "Ready", reason("TrunkNotFound"))
        [at] = re.findall(r"answered on (127[\d.:]+)", operator.log())
        url = f"http://{at}"
        assert status_of(f"{url}/livez") == (200, "ok\n")
        assert status_of(f"{url}/readyz") == (200, "ok\n")
        wait_for(lambda: told(url)[("statuses_waiting",)] == 0, "all to be written")
        now = told(url)
    assert now[("leads",)] == 1
    assert now[("dirty_objects",)] == 0
    assert now[("objects", "Ready", "Trunk", "False")] == 1
    assert now[("objects", "Accepted", "Trunk", "True")] == 1
    assert now[("objects", "ResolvedRefs", "DispatchRule", "False")] == 1
    assert now[("reconcile_seconds_count",)] >= 1
    assert now[("last_good_timestamp_seconds",)] > 1e9
    assert now[("tables_revision",)] >= 1
    assert now[("writes_total", "patches")] >= 2
    assert now[("api_heard_timestamp_seconds",)] > 1e9


def test_one_that_may_list_nothing_lives_and_is_not_ready_and_says_why(place: Place) -> None:
    nobody = place.cluster.service_account(place.namespace, "nobody")
    with place.operator("--metrics", "127.0.0.1:0", config=nobody) as operator:
        operator.said("does not let us list objects")
        [at] = re.findall(r"answered on (127[\d.:]+)", operator.log())
        assert status_of(f"http://{at}/livez")[0] == 200
        code, words = status_of(f"http://{at}/readyz")
        assert code == 503
        assert "does not let us list objects" in words
