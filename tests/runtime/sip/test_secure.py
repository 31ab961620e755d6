"""`sips:` and TLS in the messages of an endpoint: Contact, Via, and the ports that nobody wrote."""

from __future__ import annotations

import pytest

from runtime.sip.dialog import Dialog
from runtime.sip.fields import parse_via
from runtime.sip.incoming import response_path
from runtime.sip.path import Address, Path
from runtime.sip.requests import contact_of, via_of

LOCAL, REMOTE = ("192.0.2.1", 5061), ("198.51.100.7", 40_000)
TLS = Path("tls", LOCAL, REMOTE, name="sip.example.com", identity="default/out")


class Speaks:
    """Every transport, every connection open."""

    def local_for(self, transport: str, remote: Address) -> Address | None:
        return LOCAL

    def is_open(self, path: Path) -> bool:
        return True


def dialog(target: str) -> Dialog:
    return Dialog("id", "us", "them", "<sip:us@x>", "<sip:them@y>", target, (), 1, None, TLS)


def test_our_contact_is_sips_where_the_call_is() -> None:
    assert contact_of(TLS, LOCAL[0], secure=False) == "<sip:192.0.2.1:5061;transport=tls>"
    assert contact_of(TLS, LOCAL[0], secure=True) == "<sips:192.0.2.1:5061>"
    assert contact_of(Path("udp", LOCAL, REMOTE), LOCAL[0], secure=True) == "<sip:192.0.2.1:5061>"
    assert via_of(TLS, LOCAL[0], "z9hG4bKx").startswith("SIP/2.0/TLS 192.0.2.1:5061;")


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("sip:a@198.51.100.9;transport=tls", ("198.51.100.9", 5061)),
        ("sips:a@198.51.100.9", ("198.51.100.9", 5061)),
        ("sips:a@198.51.100.9:5080", ("198.51.100.9", 5080)),
        ("sip:a@198.51.100.9", ("198.51.100.9", 5061)),
    ],
)
def test_a_dialog_s_requests_go_to_the_port_of_tls_and_prove_the_same(target: str, address: Address) -> None:
    assert dialog(target).next_path(Speaks()) == Path("tls", LOCAL, address, name=TLS.name, identity=TLS.identity)


def test_another_transport_proves_nothing() -> None:
    found = dialog("sip:a@198.51.100.9;transport=tcp").next_path(Speaks())
    assert found == Path("tcp", LOCAL, ("198.51.100.9", 5060))


def test_an_answer_makes_its_new_connection_to_the_port_of_tls() -> None:
    via = parse_via("SIP/2.0/TLS client.example.com;branch=z9hG4bKx")
    assert response_path(via, TLS).again == (REMOTE[0], 5061)
    assert response_path(via, Path("tcp", LOCAL, REMOTE)).again == (REMOTE[0], 5060)
