from __future__ import annotations

import pytest

from reconciler.manifests.masking import masked, names_a_secret


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("password: hunter2", "password: ****"),
        ('auth: {username: a, password: "hunt,er2", realm: b}', "auth: {username: a, password: ****"),
        ("auth_password : x", "auth_password : ****"),
        ("'authPassword': x", "'authPassword': ****"),
        ("pin: 4711", "pin: ****"),
        ("pinCode: 4711", "pinCode: ****"),
        ("passwordFrom: {hunter2}", "passwordFrom: ****"),
        ("passwordFrom: {env: X, y: hunter2}", "passwordFrom: ****"),
        ("apiToken: x", "apiToken: ****"),
    ],
)
def test_what_may_be_a_secret_is_not_shown(line, shown):
    assert masked(line) == shown


@pytest.mark.parametrize(
    "line",
    [
        "passwordFrom: {env: X}",
        "auth: {passwordFrom: {file: a/b}, realm: x}",
        "pinFrom: {secretKeyRef: {name: a, key: password}}",
        "  secretKeyRef: {name: a}",
        "passwordFrom:",
        "mapping: x",
        "shipping: x",
        "number: +14155550100",
    ],
)
def test_the_place_of_a_secret_and_all_else_are_shown(line):
    assert masked(line) == line


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        ("spec.inbound.auth.passwordFrom.env", True),
        ("spec.pinFrom", True),
        ("spec.rule.pin", True),
        ("spec.number", False),
    ],
)
def test_a_path_names_a_secret(path, secret):
    assert names_a_secret(path) is secret
