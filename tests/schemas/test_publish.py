from __future__ import annotations

import copy
import json
from functools import cache

import pytest
import yaml
from hypothesis import given as example
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from schemas import publish
from schemas.resources import addresses, credentials, header_policy, media, routing_test, telephone, values
from schemas.resources.documents import KINDS
from tests.schemas.resources import given


@cache
def validator(name="dialplane"):
    schema = json.loads((publish.DIRECTORY / f"json-schema/{name}.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_published_files_are_fresh(capsys):
    assert publish.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_folder_is_told_with_the_command_to_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(publish, "DIRECTORY", tmp_path)
    publish.main([])
    assert publish.main(["--check"]) == 0
    (tmp_path / "json-schema/trunk.json").write_text("{}")
    (tmp_path / "crds/trunks.dialplane.dev.yaml").unlink()
    (tmp_path / "crds/left-over.yaml").write_text("")
    capsys.readouterr()
    assert publish.main(["--check"]) == 1
    said = capsys.readouterr().err
    for name in ("json-schema/trunk.json", "crds/trunks.dialplane.dev.yaml", "crds/left-over.yaml"):
        assert name in said
    assert said.endswith("run: python -m schemas.publish\n")
    assert publish.main([]) == 0
    assert publish.stale(tmp_path) == []
    assert publish.main(["--wrong"]) == 2


def test_publishing_twice_gives_the_same_bytes():
    assert publish.files() == publish.files()


@pytest.mark.parametrize("index", range(5))
def test_a_complete_document_fits_its_schemas(index):
    data = given.everything()[index]
    for name in ("dialplane", data["kind"].lower()):
        assert [error.message for error in validator(name).iter_errors(data)] == []


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (given.inbound(allowedAdresses=[]), ["spec", "inbound"]),
        (given.inbound(allowedAddresses=["sip.example.com"]), ["spec", "inbound", "allowedAddresses", 0]),
        (given.number(number=14155550100), ["spec", "number"]),
        (given.number(number="4155550100"), ["spec", "number"]),
        (given.trunk(media={"codecs": ["g729"]}), ["spec", "media", "codecs", 0]),
        (given.trunk(media={"timeout": 30}), ["spec", "media", "timeout"]),
        (given.rule(rule={"direct": {"room": "a"}, "callee": {}}), ["spec", "rule"]),
        (given.rule(fallback={"sipCode": 200}), ["spec", "fallback", "sipCode"]),
        (given.rule(pinFrom="1234"), ["spec", "pinFrom"]),
        (given.inbound(headers={"a b": "c"}), ["spec", "inbound", "headers"]),
        (given.rule(match=None), ["spec", "match"]),
        (given.document("Trunk", {}), ["spec"]),
        ({**given.number(), "kind": "phonenumber"}, ["kind"]),
        ({**given.number(), "apiVersion": "v1"}, ["apiVersion"]),
    ],
)
def test_an_editor_complains_at_the_place_and_about_that_kind_only(data, path):
    errors = list(validator().iter_errors(data))
    assert path in [list(error.absolute_path) for error in errors]
    assert all("oneOf" not in list(error.absolute_schema_path)[:2] for error in errors)
    given.complaints(data)


def test_every_field_of_an_editor_has_a_description():
    def undescribed(node, path=""):
        for name, field in node.get("properties", {}).items():
            target = schema["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
            if not field.get("description", target.get("description")):
                yield f"{path}.{name}"

    schema = publish.all_kinds()
    assert [path for name, node in schema["$defs"].items() for path in undescribed(node, name)] == []


TEXTS = {
    "number": (telephone.Number, "+0123456789 ()-*"),
    "pattern": (telephone.Pattern, "+0123456789 ()-*"),
    "country": (telephone.Country, "USus1"),
    "area code": (telephone.AreaCode, "0159x"),
    "duration": (values.DurationMs, "0159hms."),
    "name": (values.Name, "ab0-._A"),
    "namespace": (values.Namespace, "ab0-."),
    "region": (values.Region, "us-1A"),
    "label value": (values.LabelValue, "aB0-_."),
    "label key": (values.LabelKey, "aB0-_./"),
    "network": (addresses.Network, "0125.:af/%[]"),
    "address": (addresses.Address, "0125.:af/%"),
    "host": (addresses.Host, "ab0.-:[]@;/?"),
    "host and port": (addresses.HostPort, "ab0.-:[]@;/?"),
    "header name": (header_policy.HeaderName, "aZ0-.!%*_+`'~ :"),
    "header value": (header_policy.HeaderValue, "aü \t\r\n"),
    "codec": (media.Codec, "opusg72mcaPCMU"),
    "user name": (credentials.Username, 'ab"\\ @'),
    "call user": (routing_test.CallUser, "+0159a"),
}


@pytest.mark.parametrize("name", TEXTS)
@example(st.data())
def test_an_editor_never_refuses_a_text_that_the_models_accept(name, data):
    alphabet = TEXTS[name][1]
    adapter, schema = read(name)
    text = data.draw(st.text(alphabet=alphabet, max_size=12) | st.sampled_from(GOOD))
    try:
        adapter.validate_python(text)
    except ValidationError:
        return
    assert schema.is_valid(text)


GOOD = [
    "192.0.2.0/24",
    "192.0.2.1",
    "2001:db8::/32",
    "+14155550100",
    "+1415*",
    "1h30m",
    "a.example:5060",
    "us-east",
    "opus",
]


@cache
def read(name):
    adapter = TypeAdapter(TEXTS[name][0])
    return adapter, Draft202012Validator(adapter.json_schema())


def test_an_editor_never_refuses_a_document_that_the_models_accept():
    def variations(value, build):
        yield build(copy.deepcopy(value))
        if isinstance(value, dict):
            for key, below in value.items():
                yield build({k: v for k, v in value.items() if k != key})
                yield from variations(below, lambda new, key=key: build({**value, key: new}))
        elif isinstance(value, list):
            yield build([])
            for index, below in enumerate(value):
                yield from variations(below, lambda new, index=index: build([*value[:index], new, *value[index + 1 :]]))

    accepted = 0
    for document in given.everything():
        for data in variations(document, lambda new: new):
            try:
                KINDS[document["kind"]].model_validate(data)
            except ValidationError:
                continue
            accepted += 1
            assert [error.message for error in validator().iter_errors(data)] == []
    assert accepted > 100


CRDS = ("trunks", "dispatchrules", "phonenumbers")
VALUE_ONLY = {"oneOf", "anyOf", "allOf", "not"}
ALLOWED = {
    *("description", "type", "format", "pattern", "enum", "minimum", "maximum", "minLength", "maxLength"),
    *("minItems", "maxItems", "minProperties", "maxProperties", "required", "properties", "items"),
    *("additionalProperties", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
    *VALUE_ONLY,
}


def crd(plural):
    return yaml.safe_load((publish.DIRECTORY / f"crds/{plural}.dialplane.dev.yaml").read_text("utf-8"))


def structure_faults(node, path="schema"):
    """What an API server refuses in a structural schema."""
    for key in set(node) - ALLOWED:
        yield f"{path}: {key}"
    if ("type" in node) == bool(node.get("x-kubernetes-preserve-unknown-fields")):
        yield f"{path}: needs a type, or to be free"
    if "properties" in node and "additionalProperties" in node:
        yield f"{path}: properties beside additionalProperties"
    for junctor in VALUE_ONLY & set(node):
        for branch in [node[junctor]] if junctor == "not" else node[junctor]:
            yield from branch_faults(branch, node, f"{path}, in {junctor}")
    for name, below in node.get("properties", {}).items():
        yield from structure_faults(below, f"{path}.{name}")
    if node.get("type") == "array" and "items" not in node:
        yield f"{path}: an array without items"
    for key in {"items", "additionalProperties"} & set(node):
        yield from structure_faults(node[key], f"{path}.{key}")


def branch_faults(branch, outside, path):
    """A branch may say what must be there and hold, of fields that stand outside too, and nothing of their types."""
    for key in set(branch) - {"required", "properties", "enum", "pattern"} - VALUE_ONLY:
        yield f"{path}: {key}"
    for name, below in branch.get("properties", {}).items():
        known = outside.get("properties", {})
        yield from branch_faults(below, known[name], f"{path}.{name}") if name in known else [f"{path}: {name}"]
    for junctor in VALUE_ONLY & set(branch):
        for inner in [branch[junctor]] if junctor == "not" else branch[junctor]:
            yield from branch_faults(inner, outside, f"{path}, in {junctor}")


@pytest.mark.parametrize("plural", CRDS)
def test_a_crd_is_structural(plural):
    version = crd(plural)["spec"]["versions"][0]
    assert list(structure_faults(version["schema"]["openAPIV3Schema"])) == []
    assert version["schema"]["openAPIV3Schema"]["properties"]["metadata"] == {"type": "object"}


@pytest.mark.parametrize(("plural", "kind", "short"), list(zip(CRDS, KINDS, ("tk", "dr", "pn"), strict=False)))
def test_a_crd_says_how_kubectl_shows_its_kind(plural, kind, short):
    data = crd(plural)
    names = data["spec"]["names"]
    assert data["metadata"]["name"] == f"{plural}.dialplane.dev"
    assert (names["kind"], names["shortNames"], names["categories"]) == (kind, [short], ["telephony"])
    version = data["spec"]["versions"][0]
    assert version["subresources"] == {"status": {}}
    columns = [column["name"] for column in version["additionalPrinterColumns"]]
    assert columns[-4:] == ["Ready", "Programmed", "Reason", "Age"]


def test_a_crd_has_the_fields_of_its_model():
    def fields(node, prefix=""):
        for name, below in node.get("properties", {}).items():
            yield prefix + name
            yield from fields(below.get("items", below), f"{prefix}{name}.")

    for document in given.everything()[:3]:
        plural = CRDS[list(KINDS).index(document["kind"])]
        root = crd(plural)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        known = set(fields(root["properties"]["spec"]))
        maps = {"headers", "headersToAttributes", "attributesToHeaders", "attributes", "matchLabels"}

        def written(value, prefix="", maps=maps):
            if isinstance(value, list):
                for below in value:
                    yield from written(below, prefix)
            elif isinstance(value, dict) and prefix.rstrip(".").rpartition(".")[2] not in maps:
                for key, below in value.items():
                    yield prefix + key
                    yield from written(below, f"{prefix}{key}.")

        assert set(written(document["spec"])) <= known


def test_a_number_is_immutable_once_set_in_a_cluster():
    spec = crd("phonenumbers")["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert [rule["message"] for rule in spec["x-kubernetes-validations"]][-1] == "number is immutable once set"
