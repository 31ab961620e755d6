from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.desired import desire
from reconciler.model.fingerprint import Fingerprint, is_certain
from reconciler.model.live import Live
from tests.reconciler.declaring import any_folder, any_torn_folder, declared, rule, trunk


def of(fingerprint: Fingerprint, folder) -> str:
    return fingerprint.of(desire(declared(folder), Live()).sources)


@given(st.lists(any_torn_folder, min_size=1, max_size=5))
def test_what_was_seen_before_changes_nothing(folders):
    followed = Fingerprint()
    seen = [of(followed, folder) for folder in folders]
    assert seen == [of(Fingerprint(), folder) for folder in folders]


@given(any_folder)
def test_only_what_documents_say_counts_and_not_where(folder):
    here = desire(declared(folder), Live())
    there = desire(declared({f"other-{name}": documents for name, documents in folder.items()}), Live())
    if is_certain(here):
        assert Fingerprint().of(here.sources) == Fingerprint().of(there.sources)


def test_each_part_of_a_document_counts():
    known = {
        of(Fingerprint(), {"a.yaml": documents})
        for documents in (
            [],
            [trunk()],
            [trunk(), rule()],
            [trunk(), rule(room="hall")],
            [trunk(labels={"a": "b"}), rule()],
            [trunk(), rule("other")],
            [trunk(), rule(namespace="other")],
        )
    }
    assert len(known) == 7
