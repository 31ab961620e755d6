"""Every mistake that a person makes in a manifest, by name: the files of a folder `m` that hold it."""

from __future__ import annotations

HEAD = "apiVersion: dialplane.dev/v1alpha1\n"


def trunk(spec: str = "inbound: {allowedAddresses: [203.0.113.0/24]}", name: str = "carrier") -> str:
    return f"{HEAD}kind: Trunk\nmetadata: {{name: {name}}}\nspec:\n  {spec}\n"


def rule(spec: str = "rule: {direct: {room: lobby}}", name: str = "lobby") -> str:
    return f"{HEAD}kind: DispatchRule\nmetadata: {{name: {name}}}\nspec:\n  {spec}\n"


def number(spec: str = 'number: "+14155550100"', name: str = "front-door") -> str:
    return f"{HEAD}kind: PhoneNumber\nmetadata: {{name: {name}}}\nspec:\n  {spec}\n"


def routing_test(call: str) -> str:
    return f"{HEAD}kind: RoutingTest\nmetadata: {{name: calls}}\nspec:\n  calls:\n  - {call}\n"


def bomb() -> str:
    rows = ["  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    return f"{HEAD}kind: Trunk\nmetadata:\n" + "\n".join(rows) + "\n"


CASES: dict[str, str | bytes | dict[str, str | bytes]] = {
    # The name of a field or a kind
    "wrong-case-snake": trunk("inbound: {allowed_addresses: [203.0.113.0/24]}"),
    "wrong-case-camel": trunk("inbound: {AllowedAddresses: [203.0.113.0/24]}"),
    "wrong-case-kebab": trunk("inbound: {allowed-addresses: [203.0.113.0/24]}"),
    "wrong-case-kind": trunk().replace("kind: Trunk", "kind: trunk"),
    "wrong-case-value": trunk("inbound: {allowedAddresses: [203.0.113.0/24], calledNumbers: Declared}"),
    "typo-field": number('numbr: "+14155550100"'),
    "typo-nested-field": rule("rule: {direct: {rooom: lobby}}"),
    "field-in-the-wrong-place": trunk("allowedAddresses: [203.0.113.0/24]"),
    "wrong-kind": number().replace("PhoneNumber", "Number"),
    "wrong-kind-of-livekit": trunk().replace("kind: Trunk", "kind: SIPInboundTrunk"),
    "wrong-api-version": trunk().replace("v1alpha1", "v1"),
    "typo-api-version": trunk().replace("dialplane.dev", "dialplan.dev"),
    "missing-kind": trunk().replace("kind: Trunk\n", ""),
    "missing-name": trunk().replace("{name: carrier}", "{}"),
    "bad-name": trunk(name="My_Carrier"),
    # Values
    "unquoted-number": number("number: +14155550100"),
    "bad-e164": number('number: "4155550100"'),
    "bad-e164-letters": number('number: "+1-800-FLOWERS"'),
    "bad-cidr": trunk("inbound: {allowedAddresses: [203.0.113.0/33]}"),
    "bad-cidr-host-bits": trunk("inbound: {allowedAddresses: [203.0.113.7/24]}"),
    "bad-cidr-name": trunk("inbound: {allowedAddresses: [sip.example.com]}"),
    "whole-internet": trunk("inbound: {allowedAddresses: [0.0.0.0/0]}"),
    "bad-duration": trunk("inbound: {allowedAddresses: [203.0.113.0/24], ringingTimeout: 30}"),
    "bad-duration-unit": trunk("inbound: {allowedAddresses: [203.0.113.0/24], ringingTimeout: 30 sec}"),
    "bad-boolean": rule("rule: {callee: {randomize: 'yes'}}"),
    "literal-password": trunk("inbound: {auth: {username: acme, password: hunter2}}"),
    "literal-password-from": trunk("inbound: {auth: {username: acme, passwordFrom: hunter2}}"),
    "literal-pin": rule("{rule: {direct: {room: lobby}}, pinFrom: 4711}"),
    "password-in-a-url": trunk("outbound: {addresses: ['acme:hunter2@sip.example.com']}"),
    # Shapes
    "list-for-a-map": trunk("inbound: [{allowedAddresses: [203.0.113.0/24]}]"),
    "map-for-a-list": rule("{rule: {direct: {room: lobby}}, trunkRefs: {name: carrier}}"),
    "text-for-a-list": trunk("inbound: {allowedAddresses: 203.0.113.0/24}"),
    "name-for-a-reference": rule("{rule: {direct: {room: lobby}}, trunkRefs: [carrier]}"),
    "name-for-a-room": rule("rule: {direct: lobby}"),
    "rule-without-a-choice": rule("rule: {}"),
    "rule-with-two-choices": rule("rule: {direct: {room: lobby}, callee: {}}"),
    "misspelt-reason": routing_test('{to: "+1415", from: "+1415", address: 203.0.113.7, expect: {reason: no-rul}}'),
    "reason-that-is-asked-first": routing_test(
        '{to: "+1415", from: "+1415", address: 203.0.113.7, expect: {reason: wrong-credentials}}'
    ),
    "ip-in-a-routing-test": routing_test('{to: "+1415", from: "+1415", ip: 203.0.113.7, expect: {room: lobby}}'),
    "a-document-that-is-a-list": "- one\n- two\n",
    "a-document-that-is-a-text": "carrier\n",
    # References and clashes
    "unknown-trunk": trunk() + "---\n" + rule("{rule: {direct: {room: lobby}}, trunkRefs: [{name: carier}]}"),
    "unknown-rule": trunk() + "---\n" + number('{number: "+14155550100", dispatchRuleRef: {name: loby}}'),
    "declared-twice": {"a.yaml": trunk(), "b.yaml": trunk("inbound: {allowedAddresses: [198.51.100.0/24]}")},
    "clash-across-files": {"a.yaml": rule(), "b.yaml": rule("rule: {direct: {room: hall}}", "hall")},
    "clash-of-numbers": {
        "a.yaml": trunk(),
        "b.yaml": number('{number: "+14155550100", trunkRef: {name: carrier}}', "one"),
        "c.yaml": number('{number: "+14155550100", trunkRef: {name: carrier}}', "two"),
    },
    "a-broken-trunk-and-all-that-wait-for-it": trunk("inbound: {allowedAddresses: [203.0.113.0/33]}")
    + "---\n"
    + rule("{rule: {direct: {room: lobby}}, trunkRefs: [{name: carrier}]}")
    + "---\n"
    + number('{number: "+14155550100", trunkRef: {name: carrier}, dispatchRuleRef: {name: lobby}}'),
    # YAML
    "duplicate-key": trunk() + "  provider: a\n  provider: b\n",
    "missing-separator": trunk() + rule(),
    "tab": f"{HEAD}kind: Trunk\nmetadata:\n\tname: carrier\n",
    "no-space-behind-the-colon": f"{HEAD}kind: Trunk\nmetadata:\n  name:carrier\n  labels: {{}}\n",
    "unclosed-bracket": trunk("inbound: {allowedAddresses: [203.0.113.0/24}"),
    "unclosed-quote": number('number: "+14155550100'),
    "wrong-indentation": f"{HEAD}kind: Trunk\nmetadata:\n  name: carrier\n namespace: voice\n",
    "colon-in-a-text": trunk("{provider: a: b, inbound: {allowedAddresses: [203.0.113.0/24]}}"),
    "colon-in-a-block": trunk("provider: a: b"),
    "merge-conflict": f"{HEAD}<<<<<<< HEAD\nkind: Trunk\n=======\nkind: DispatchRule\n>>>>>>> theirs\n",
    "merge-key": f"{HEAD}kind: Trunk\nmetadata: &base {{name: carrier}}\nspec:\n  inbound:\n    <<: *base\n",
    "alias-bomb": bomb(),
    "alias-without-an-anchor": trunk("inbound: {allowedAddresses: [*office]}"),
    "tag": trunk("inbound: !trunk {allowedAddresses: [203.0.113.0/24]}"),
    "deep-nesting": f"{HEAD}kind: Trunk\nmetadata: {'[' * 100}{']' * 100}\n",
    # Files
    "not-utf-8": trunk().encode() + b"# caf\xe9\n",
    "utf-16": trunk().encode("utf-16"),
    "utf-8-with-a-byte-order-mark": b"\xef\xbb\xbf" + number("number: +14155550100").encode(),
    "control-character": trunk() + "# \x07\n",
    "windows-line-ends": number("number: +14155550100").replace("\n", "\r\n"),
    "huge-file": b"#" * (64 * 1024 * 1024 + 1),
    "huge-document": trunk() + "# " + "x" * (1024 * 1024) + "\n",
    "empty-file": "",
    "only-comments": "# nothing here\n---\n",
    "json-file": {"a.json": "{}"},
    "json-in-yaml": '{"apiVersion": "dialplane.dev/v1alpha1", "kind": "Trunk", "metadata": {"name": 5}, "spec": {}}\n',
    "kubernetes-list": f"apiVersion: v1\nkind: List\nitems:\n- {HEAD}  kind: Trunk\n  metadata: {{name: a}}\n",
    "kustomization": {"kustomization.yaml": "resources: []\n", "a.yaml": trunk()},
    "empty-folder": {},
}
