"""What the operator tells scrapers: by a parser of Prometheus' own, and never more labels than it may."""

from prometheus_client.parser import text_string_to_metric_families

from reconciler.operator.metrics import ERROR_KINDS_MAX, Metrics


def samples(metrics):
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def test_what_it_is_told_is_what_it_tells():
    metrics = Metrics("1.2.3")
    metrics.leads(True)
    metrics.dirty(7)
    metrics.passed(0.02, 12, 1000.5)
    metrics.failed(KeyError("secret"))
    metrics.objects({("Trunk", "Ready", "True"): 3, ("Trunk", "Ready", "False"): 1})
    metrics.objects({("Trunk", "Ready", "True"): 4})
    metrics.patched("written")
    metrics.heard(1001.0)
    told = samples(metrics)
    assert told[("dialplane_operator_build_info", "1.2.3")] == 1
    assert told[("dialplane_operator_leads",)] == 1
    assert told[("dialplane_operator_dirty_objects",)] == 7
    assert told[("dialplane_operator_reconcile_seconds_bucket", "0.025")] == 1
    assert told[("dialplane_operator_reconcile_seconds_bucket", "0.01")] == 0
    assert told[("dialplane_operator_reconcile_errors_total", "KeyError")] == 1
    assert told[("dialplane_operator_last_good_timestamp_seconds",)] == 1000.5
    assert told[("dialplane_operator_tables_revision",)] == 12
    assert told[("dialplane_operator_status_patches_total", "written")] == 1
    assert told[("dialplane_operator_watch_last_event_timestamp_seconds",)] == 1001
    objects = {key: value for key, value in told.items() if key[0] == "dialplane_operator_objects"}
    assert objects == {("dialplane_operator_objects", "Ready", "True", "Trunk"): 4}, "nothing of before is left"
    assert b"secret" not in metrics.exposition()


def test_kinds_of_errors_are_bounded():
    metrics = Metrics("1")
    for at in range(3 * ERROR_KINDS_MAX):
        metrics.failed(type(f"Fault{at}", (Exception,), {})())
    told = [key for key in samples(metrics) if key[0] == "dialplane_operator_reconcile_errors_total"]
    assert len(told) <= ERROR_KINDS_MAX + 1
