from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifests.quiet import MANY_FILES_QUIET_S, ONE_FILE_QUIET_S, WAIT_MAX_S, Batch, Quiet


def test_nothing_is_waited_for_when_nothing_happened():
    quiet = Quiet()
    assert quiet.deadline() is None
    assert quiet.take(1e9) is None


def test_one_file_is_taken_after_twenty_milliseconds_of_quiet():
    quiet = Quiet()
    quiet.notice({"a"}, 10.0)
    assert quiet.take(10.019) is None
    quiet.notice({"a"}, 10.019)
    assert quiet.take(10.030) is None
    assert quiet.take(10.040) == Batch(frozenset({"a"}))
    assert quiet.deadline() is None


@pytest.mark.parametrize(("paths", "how"), [({"a", "b"}, {}), ({"a"}, {"locked": True}), (set(), {"everything": True})])
def test_many_files_a_git_lock_or_a_full_look_wait_longer(paths, how):
    quiet = Quiet()
    quiet.notice(paths, 10.0, **how)
    assert quiet.deadline() == 10.0 + MANY_FILES_QUIET_S
    assert quiet.take(10.1) is None
    assert quiet.take(10.151) is not None


def test_a_second_file_makes_the_first_one_wait():
    quiet = Quiet()
    quiet.notice({"a"}, 10.0)
    quiet.notice({"b"}, 10.01)
    assert quiet.take(10.05) is None
    assert quiet.take(10.161) == Batch(frozenset({"a", "b"}))


def test_a_git_lock_that_appears_while_waiting_makes_it_wait_longer():
    quiet = Quiet()
    quiet.notice({"a"}, 10.0)
    assert quiet.take(10.02, locked=True) is None
    assert quiet.deadline() == 10.15
    assert quiet.take(10.15) == Batch(frozenset({"a"}))


def test_a_burst_that_does_not_end_is_taken_after_two_seconds():
    quiet = Quiet()
    now = 10.0
    while (batch := quiet.take(now)) is None:
        quiet.notice({f"f{now}", "x"}, now)
        now += 0.01
    assert WAIT_MAX_S - 0.001 <= now - 10.0 <= WAIT_MAX_S + 0.011
    assert len(batch.paths) > 100


def test_a_full_look_names_no_paths():
    quiet = Quiet()
    quiet.notice({"a"}, 10.0)
    quiet.notice((), 10.0, everything=True)
    batch = quiet.take(11.0)
    assert (batch.paths, batch.to_refresh) == (frozenset(), None)


def test_one_burst_leaves_nothing_to_the_next():
    quiet = Quiet()
    quiet.notice({"a"}, 10.0, everything=True, locked=True)
    quiet.take(11.0)
    quiet.notice((), 11.0, locked=True)
    assert quiet.deadline() is None
    quiet.notice({"b"}, 12.0)
    assert quiet.deadline() == 12.0 + ONE_FILE_QUIET_S
    assert quiet.take(13.0).to_refresh == {"b"}


EVENTS = st.lists(st.tuples(st.floats(0, 0.5), st.sampled_from("abc"), st.booleans()), min_size=1, max_size=30)


@given(EVENTS)
def test_no_change_is_ever_lost_or_late(events):
    quiet, now, waiting, since = Quiet(), 0.0, set(), 0.0
    for gap, path, locked in events:
        now += gap
        if batch := quiet.take(now):
            assert batch.paths == waiting
            waiting = set()
        since = since if waiting else now
        quiet.notice({path}, now, locked=locked)
        waiting.add(path)
        assert now < quiet.deadline() <= since + WAIT_MAX_S or quiet.take(now) is not None
    if waiting and (deadline := quiet.deadline()):
        assert quiet.take(deadline).paths == waiting


def test_a_file_that_was_replaced_whole_is_taken_at_once():
    quiet = Quiet()
    quiet.notice(["a"], 1.0, replaced=True)
    assert quiet.take(1.0).paths == {"a"}


def test_many_files_replaced_one_after_the_other_are_few_batches():
    quiet = Quiet()
    batches, now = [], 1.0
    for index in range(1000):
        quiet.notice([f"{index}"], now, replaced=True)
        batches += [batch] if (batch := quiet.take(now)) is not None else []
        now += 0.001
    assert len(batches) <= 2
    assert len(quiet.take(now + 1).paths) + sum(len(batch.paths) for batch in batches) == 1000


def test_a_file_that_is_replaced_and_then_written_to_is_waited_for():
    quiet = Quiet()
    quiet.notice(["a"], 1.0, replaced=True)
    quiet.notice(["a"], 1.0, replaced=False)
    assert quiet.take(1.0) is None
    assert quiet.take(1.03).paths == {"a"}
