"""Which certificate is shown: by the name that is asked for, under both versions of TLS; and how pairs are named."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path as File

import pytest

from runtime.commands.tls_options import tls_settings
from runtime.errors import BridgeError
from runtime.limits import TLS_PAIRS_MAX
from runtime.net import tls_contexts
from runtime.net.tls_contexts import TlsContexts
from runtime.net.tls_stream import TlsError, TlsStream
from runtime.settings import TlsPair, TlsSettings, parse_listens
from runtime.sip.certificates import domains_of
from tests.certificates import Authority, PairFiles
from tests.runtime.net.sockets import run, until

OPTIONS: dict[str, object] = {"tls_ca": None, "tls_min": "1.2", "tls_ciphers": "", "tls_alpn": "off"}


def settings_of(*pairs: PairFiles, client_authorities: File | None = None) -> TlsSettings:
    named = tuple(TlsPair(pair.certificate, pair.key) for pair in pairs)
    return TlsSettings(pairs=named, client_authorities=client_authorities)


def loaded(settings: TlsSettings) -> TlsContexts:
    contexts = TlsContexts(settings)
    contexts.load()
    return contexts


def shown(contexts: TlsContexts, authority: Authority, name: str, version: ssl.TLSVersion) -> tuple[str, ...]:
    """The domains of the certificate that somebody is shown who asks for this name ("" = for none)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(authority.file)
    context.minimum_version = context.maximum_version = version
    assert contexts.server is not None
    ours = TlsStream(contexts.server, server_side=True)
    theirs = TlsStream(context, server_side=False, name=name)
    while not (ours.is_ready and theirs.is_ready):
        for one, other in ((theirs, ours), (ours, theirs)):
            if not one.is_ready:
                one.shake_hands()
            other.receive(one.taken())
    return domains_of(theirs.certificate)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("asked", "gets"),
    [
        ("", "first.example"),
        ("nobody.example", "first.example"),
        ("first.example", "first.example"),
        ("second.example", "second.example"),
        ("SECOND.Example", "second.example"),
        ("a.wild.example", "*.wild.example"),
        ("wild.example", "first.example"),
        ("a.b.wild.example", "first.example"),
        ("exact.wild.example", "exact.wild.example"),
        ("sip.example", "sip.example"),
    ],
)
def test_the_name_that_is_asked_for_is_shown_first_itself_then_by_wildcard_else_the_first(
    tmp_path: File, version: ssl.TLSVersion, asked: str, gets: str
) -> None:
    authority = Authority(tmp_path)
    contexts = loaded(
        settings_of(
            authority.pair("1", "first.example"),
            authority.pair("2", "127.0.0.1", "second.example"),
            authority.pair("3", "*.wild.example"),
            authority.pair("4", "exact.wild.example"),
            authority.pair("5", "sip:sip.example", "host.example"),
        )
    )
    assert gets in shown(contexts, authority, asked, version)


@pytest.mark.parametrize("name", ["", "first.example", "second.example"])
def test_no_name_that_is_asked_for_lets_in_who_shows_no_certificate(tmp_path: File, name: str) -> None:
    authority = Authority(tmp_path)
    pairs = (authority.pair("1", "first.example"), authority.pair("2", "second.example"))
    contexts = loaded(settings_of(*pairs, client_authorities=authority.file))
    with pytest.raises(TlsError):
        shown(contexts, authority, name, ssl.TLSVersion.TLSv1_2)


def test_pairs_that_could_not_be_told_apart_or_are_for_nobody_are_refused(tmp_path: File) -> None:
    authority = Authority(tmp_path)
    one, other = authority.pair("one", "a.example"), authority.pair("other", "b.example", "A.example")
    with pytest.raises(BridgeError, match=r"one.pem and .*other.pem apart: both are for a.example"):
        loaded(settings_of(one, other))
    address = authority.pair("address", "192.0.2.1")
    with pytest.raises(BridgeError, match=r"never show .*address.pem"):
        loaded(settings_of(one, address))
    assert loaded(settings_of(address, one)).server is not None
    swapped = (TlsPair(one.certificate, other.key), TlsPair(other.certificate, one.key))
    with pytest.raises(BridgeError, match=r"one.pem and .*other.key: the key is not that of the certificate") as fault:
        loaded(TlsSettings(pairs=swapped))
    assert "keys in the order of certificates" in fault.value.hint


def test_options_make_pairs_in_their_order(tmp_path: File) -> None:
    a, b, c = (tmp_path / name for name in "abc")
    listens = parse_listens(["tls://127.0.0.1:5061"])

    def pairs(certificates: tuple[File, ...], keys: tuple[File, ...] = ()) -> tuple[TlsPair, ...]:
        return tls_settings({**OPTIONS, "tls_cert": certificates, "tls_key": keys}, listens).pairs

    assert pairs((a, b), (b, c)) == (TlsPair(a, b), TlsPair(b, c))
    assert pairs((a, b)) == (TlsPair(a, a), TlsPair(b, b))
    for wrong, what in [
        (((a, b), (c,)), "2 of --tls-cert and 1 of --tls-key"),
        (((), (c,)), "--tls-key needs --tls-cert"),
        (((), ()), "needs a certificate"),
        (((a,) * (TLS_PAIRS_MAX + 1), ()), "65 of --tls-cert, and 64 may be at most"),
    ]:
        with pytest.raises(BridgeError, match=what):
            pairs(*wrong)


def test_a_pair_that_is_broken_holds_up_no_other(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_contexts, "LOOK_EVERY_S", 0.01)
    authority = Authority(tmp_path)
    first, second = authority.pair("1", "first.example"), authority.pair("2", "second.example")
    told: list[str] = []
    contexts = TlsContexts(settings_of(first, second), log=told.append)
    contexts.load()

    def gets(name: str) -> tuple[str, ...]:
        return shown(contexts, authority, name, ssl.TLSVersion.TLSv1_3)

    async def test() -> None:
        contexts.watch(asyncio.get_running_loop().call_soon_threadsafe)
        first.key.write_text("half a file")
        await until(lambda: "go on with the certificates of before" in told[-1], "the broken pair")
        authority.pair("2", "second.example", "third.example")
        await until(lambda: "third.example" in told[-1], "the other pair")
        assert gets("third.example") == ("second.example", "third.example")
        assert gets("first.example") == ("first.example",)
        authority.pair("1", "third.example")
        await until(lambda: "apart" in told[-1], "two for one name")
        assert gets("first.example") == ("first.example",)
        authority.pair("1", "fourth.example")
        await until(lambda: "fourth.example" in told[-1], "the repaired pair")
        assert gets("first.example") == ("fourth.example",), "as it is the first"
        assert sum("cannot use" in words for words in told) == 1, "told once"
        contexts.stop()

    run(test)
