"""What the operator tells scrapers: by a parser of Prometheus' own, and never more labels than it may."""

from prometheus_client.parser import text_string_to_metric_families

from reconciler.operator.metrics import ERROR_KINDS_MAX, Look, Metrics, conditions_of
from reconciler.operator.objects import seen

LOOK = Look(True, 7, 2, {("Trunk", "Ready", "True"): 4}, {"patches": 3, "conflicts": 1}, 1001.0)


def samples(metrics):
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def test_what_it_is_told_is_what_it_tells():
    metrics = Metrics("1.2.3", lambda: LOOK)
    metrics.passed(0.02, 12, whole=True)
    good = samples(metrics)[("dialplane_operator_last_good_timestamp_seconds",)]
    metrics.passed(0.02, 13, whole=False)
    metrics.failed(KeyError("secret"))
    told = samples(metrics)
    assert told[("dialplane_operator_build_info", "1.2.3")] == 1
    assert told[("dialplane_operator_leads",)] == 1
    assert told[("dialplane_operator_dirty_objects",)] == 7
    assert told[("dialplane_operator_statuses_waiting",)] == 2
    assert told[("dialplane_operator_reconcile_seconds_bucket", "0.025")] == 2
    assert told[("dialplane_operator_reconcile_seconds_bucket", "0.01")] == 0
    assert told[("dialplane_operator_reconcile_errors_total", "KeyError")] == 1
    assert told[("dialplane_operator_last_good_timestamp_seconds",)] == good > 1e9, "a part is not good"
    assert told[("dialplane_operator_tables_revision",)] == 13
    assert told[("dialplane_operator_writes_total", "patches")] == 3
    assert told[("dialplane_operator_api_heard_timestamp_seconds",)] == 1001
    assert told[("dialplane_operator_objects", "Ready", "True", "Trunk")] == 4
    assert b"secret" not in metrics.exposition()


def test_what_strangers_write_into_a_status_becomes_no_label():
    conditions = [{"type": "Ready", "status": "Pwned"}, {"type": "Evil", "status": "True"}]
    body = {
        "apiVersion": "dialplane.dev/v1alpha1",
        "kind": "Trunk",
        "metadata": {"name": "a", "namespace": "default", "uid": "1", "resourceVersion": "5", "generation": 1},
        "spec": {},
        "status": {"conditions": [*conditions, {"type": "Accepted", "status": "False"}]},
    }
    assert conditions_of([seen(body, None)]) == {
        ("Trunk", "Accepted", "False"): 1,
        ("Trunk", "ResolvedRefs", "Unknown"): 1,
        ("Trunk", "Programmed", "Unknown"): 1,
        ("Trunk", "Ready", "Unknown"): 1,
    }


def test_kinds_of_errors_are_bounded():
    metrics = Metrics("1", lambda: LOOK)
    for at in range(3 * ERROR_KINDS_MAX):
        metrics.failed(type(f"Fault{at}", (Exception,), {})())
    told = [key for key in samples(metrics) if key[0] == "dialplane_operator_reconcile_errors_total"]
    assert len(told) <= ERROR_KINDS_MAX + 1
