from __future__ import annotations

import pytest

from reconciler.manifests.masking import masked, names_a_secret


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("password: hunter2", "password: ****"),
        ('auth: {username: a, password: "hunt,er2", realm: b}', "auth: {username: a, ****"),
        ("auth_password : x", "auth_password : ****"),
        ("'authPassword': x", "'authPassword': ****"),
        ("pin: 4711", "pin: ****"),
        ("pinCode: 4711", "pinCode: ****"),
        ("passwordFrom: {hunter2}", "passwordFrom: ****"),
        ("passwordFrom: {env: X, y: hunter2}", "passwordFrom: ****"),
        ("apiToken: x", "apiToken: ****"),
        ("pass: hunter2", "pass: ****"),
        ("dbPass: hunter2", "dbPass: ****"),
        ("pwd: hunter2", "pwd: ****"),
        ("key: hunter2", "key: ****"),
        ("api_key: hunter2", "api_key: ****"),
        ("Authorization: Bearer hunter2", "Authorization: ****"),
        ("headers: {Proxy-Authorization: x}", "headers: {Proxy-Authorization: ****"),
        ("X-Api-Key: hunter2", "X-Api-Key: ****"),
        ("X-Key-Id: hunter2", "X-Key-Id: ****"),
        ("token: hunter2", "token: ****"),
        ("passphrase: hunter2", "passphrase: ****"),
        ("auth: [acme, hunter2]", "auth: ****"),
        ("auth: acme:hunter2", "auth: ****"),
        ("inbound: {auth: {acme, hunter2}}", "inbound: {auth: {****"),
        ("auth: {username: a, realm: b, geheim: hunter2}", "auth: {username: a, realm: b, ****"),
        ("address: sip:acme:hunter2@example.com", "address: sip:acme:****@example.com"),
        ("- https://acme:hunt@er2@example.com/x", "- https://acme:****@example.com/x"),
        ('["acme:hunter2@example.com"]', '["acme:****@example.com"]'),
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
        "auth:",
        "auth: {username: a, realm: b, passwordFrom: {env: X}}",
        "auth: {username: a, passwordFrom: {secretKeyRef: {name: a, key: b}}}",
        "author: me",
        "address: sip:acme@example.com:5060",
        "image: registry.example.com:5000/acme",
    ],
)
def test_the_place_of_a_secret_and_all_else_are_shown(line):
    assert masked(line) == line


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        ("spec.inbound.auth.passwordFrom.env", True),
        ("spec.pinFrom", True),
        ("spec.outbound.headers.Authorization", True),
        ("spec.outbound.headers.X-Auth-Token", True),
        ("spec.rule.pin", True),
        ("spec.number", False),
        ("spec.inbound.auth", True),
        ("spec.inbound.auth[1]", True),
        ("spec.inbound.auth.anything", True),
        ("spec.inbound.auth.username", False),
        ("spec.inbound.auth.realm", False),
        ("spec.author", False),
    ],
)
def test_a_path_names_a_secret(path, secret):
    assert names_a_secret(path) is secret
