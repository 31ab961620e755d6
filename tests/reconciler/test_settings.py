from __future__ import annotations

import pytest

from reconciler.errors import EXIT_ERROR, EXIT_UNSAFE, ReconcileError
from reconciler.settings import Settings, settings_from


def test_defaults_need_nothing():
    settings = settings_from({}, {})
    assert settings == Settings()
    assert settings.tables_url == "sqlite:///.dialplane/tables.db"


def test_an_option_beats_the_environment():
    environ = {"DIALPLANE_OWNER": "environ", "DIALPLANE_STATE": "/from/environ", "HOME": "/x"}
    settings = settings_from({"owner": "option", "state": None, "tables": None}, environ)
    assert settings == Settings(state="/from/environ", owner="option")
    assert settings.tables_url == "sqlite:////from/environ/tables.db"


def test_a_given_store_is_taken_as_it_is():
    assert settings_from({"tables": "redis://h/0"}, {}).tables_url == "redis://h/0"


@pytest.mark.parametrize("owner", ["", "A", "a b", "-a", "x" * 64])
def test_an_owner_is_a_name(owner):
    with pytest.raises(ReconcileError) as refused:
        settings_from({"owner": owner}, {})
    assert refused.value.exit_code == EXIT_ERROR
    assert refused.value.hint in str(refused.value)


def test_an_empty_state_folder_is_refused():
    with pytest.raises(ReconcileError):
        settings_from({"state": ""}, {})


def test_an_error_carries_its_hint_and_exit_code():
    assert str(ReconcileError("no", "do this", EXIT_UNSAFE)) == "no, do this"
    assert str(ReconcileError("no")) == "no"
