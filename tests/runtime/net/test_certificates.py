"""Certificates of carriers: fetched once, kept for a while, and asked for where a stranger cannot lead us astray."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime import limits
from runtime.errors import BridgeError
from runtime.net.certificate_fetch import CertificateFetcher, Fetched, FetchError, is_public
from runtime.net.certificates import Certificates
from runtime.net.machine_names import NoAnswerError
from runtime.net.stir_authorities import StirAuthorities
from runtime.stir.place import Place
from runtime.stir.signer import Authorities, Signer
from runtime.stir.verdict import Fault, Refusal
from tests.https_server import HttpsServer, plain
from tests.stir_carrier import Carrier

CARRIER = Carrier()
TRUSTED = Authorities.read(CARRIER.authority.pem)
PLACE = Place("https://c.example/c.pem", "c.example", 443)
LOOPBACK = ("127.0.0.0/8",)


class Server:
    """Answers when it is told to; `asked` counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Fetched | FetchError] = {}
        self.open = asyncio.Event()

    async def fetch(self, place: Place) -> Fetched:
        self.asked.append(place.url)
        await self.open.wait()
        answer = self.answers.get(place.url, Fetched(CARRIER.chain, None))
        if isinstance(answer, FetchError):
            raise answer
        return answer


class Kept:
    """Certificates with a server, and a clock that stands still."""

    def __init__(self) -> None:
        self.server = Server()
        self.now = 0.0
        self.certificates = Certificates(self.server, lambda: self.now)
        self.certificates.trust(TRUSTED)
        self.told: list[Signer | Refusal] = []

    def find(self, place: Place = PLACE) -> None:
        self.certificates.find(place, self.told.append)

    async def found(self, place: Place = PLACE) -> Signer | Refusal:
        self.server.open.set()
        coming: asyncio.Future[Signer | Refusal] = asyncio.get_running_loop().create_future()
        self.certificates.find(place, coming.set_result)
        return await coming


def place(number: int, host: str = "c.example") -> Place:
    return Place(f"https://{host}/{number}.pem", host, 443)


async def until(kept: Kept, count: int) -> None:
    while len(kept.told) < count:  # noqa: ASYNC110 - whoever waits is told one by one
        await asyncio.sleep(0.001)


def test_many_calls_wait_for_one_fetch() -> None:
    async def run() -> None:
        kept = Kept()
        for _ in range(50):
            kept.find()
        await asyncio.sleep(0)
        assert kept.server.asked == [PLACE.url]
        assert not kept.told
        kept.server.open.set()
        await until(kept, 50)
        assert all(isinstance(each, Signer) for each in kept.told)
        kept.find()
        assert len(kept.told) == 51, "what is kept is told at once"
        assert kept.server.asked == [PLACE.url]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("max_age_s", "kept_s"), [(None, 3_600), (0, 60), (600, 600), (1e9, 86_400)], ids=["none", "0", "600", "ages"]
)
def test_how_long_a_certificate_is_kept(max_age_s: float | None, kept_s: float) -> None:
    async def run() -> None:
        kept = Kept()
        kept.server.answers[PLACE.url] = Fetched(CARRIER.chain, max_age_s)
        await kept.found()
        kept.now = kept_s - 1
        await kept.found()
        assert len(kept.server.asked) == 1
        kept.now = kept_s + 1
        await kept.found()
        assert len(kept.server.asked) == 2

    asyncio.run(run())


@pytest.mark.parametrize("answer", [FetchError("no answer"), Fetched(b"x", 1e6), Fetched(Carrier().chain, 1e6)])
def test_a_failure_is_remembered_for_a_shorter_while(answer: Fetched | FetchError) -> None:
    async def run() -> None:
        kept = Kept()
        kept.server.answers[PLACE.url] = answer
        assert isinstance(await kept.found(), Refusal)
        kept.now = limits.CERTIFICATE_MISSED_S - 1
        assert isinstance(await kept.found(), Refusal)
        assert len(kept.server.asked) == 1
        kept.now = limits.CERTIFICATE_MISSED_S + 1
        kept.server.answers.clear()
        assert isinstance(await kept.found(), Signer)

    asyncio.run(run())


def test_new_authorities_judge_anew() -> None:
    async def run() -> None:
        kept = Kept()
        kept.certificates.trust(Authorities())
        found = await kept.found()
        assert isinstance(found, Refusal)
        assert found.fault is Fault.UNTRUSTED
        kept.certificates.trust(TRUSTED)
        assert isinstance(await kept.found(), Signer)
        kept.certificates.trust(Authorities())
        assert isinstance(await kept.found(), Refusal)

    asyncio.run(run())


def test_few_are_fetched_at_once() -> None:
    async def run() -> None:
        kept = Kept()
        for number in range(limits.CERTIFICATES_PER_HOST_MAX + 1):
            kept.find(place(number))
        [busy] = kept.told
        assert isinstance(busy, Refusal)
        assert busy.fault is Fault.NO_CERTIFICATE
        for number in range(limits.CERTIFICATES_FETCHED_MAX):
            kept.find(place(number, f"{number}.example"))
        assert len(kept.told) == 1 + limits.CERTIFICATES_PER_HOST_MAX
        kept.server.open.set()
        await until(kept, limits.CERTIFICATES_FETCHED_MAX + limits.CERTIFICATES_PER_HOST_MAX + 1)
        assert isinstance(await kept.found(place(99)), Signer), "there is room again"

    asyncio.run(run())


def test_few_are_kept() -> None:
    async def run() -> None:
        kept = Kept()
        kept.server.open.set()
        for number in range(limits.CERTIFICATES_KEPT_MAX + 1):
            kept.server.answers[place(number).url] = FetchError("none")
            await kept.found(place(number))
        asked = len(kept.server.asked)
        await kept.found(place(limits.CERTIFICATES_KEPT_MAX))
        assert len(kept.server.asked) == asked
        await kept.found(place(0))
        assert len(kept.server.asked) == asked + 1

    asyncio.run(run())


def test_no_call_waits_for_ever_whatever_goes_wrong() -> None:
    class Broken(Server):
        async def fetch(self, place: Place) -> Fetched:
            raise RuntimeError("a bug")

    async def run() -> None:
        kept = Kept()
        kept.certificates = Certificates(Broken(), lambda: kept.now)
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        assert isinstance(await kept.found(), Refusal)

    asyncio.run(run())


# -- the fetch itself --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpsServer]:
    with HttpsServer(tmp_path_factory.mktemp("web")) as server:
        before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = str(server.authority.file)
        yield server
        if before is None:
            del os.environ["SSL_CERT_FILE"]
        else:
            os.environ["SSL_CERT_FILE"] = before


def fetch(
    web: HttpsServer,
    path: str,
    *addresses: str,
    host: str = "localhost",
    networks: tuple[str, ...] = LOOPBACK,
) -> Fetched:
    async def known(_: str) -> tuple[str, ...]:
        return addresses or ("127.0.0.1",)

    async def run() -> Fetched:
        fetcher = CertificateFetcher(known, networks, "test/1")
        try:
            return await fetcher.fetch(Place(web.url(path, host), host, web.port))
        finally:
            await asyncio.sleep(0.02)  # a loop that ends at once leaves the transport that was just cut off

    return asyncio.run(run())


def fails(web: HttpsServer, path: str, *addresses: str, **more: object) -> str:
    with pytest.raises(FetchError) as caught:
        fetch(web, path, *addresses, **more)  # type: ignore[arg-type]
    assert "\n" not in caught.value.words
    return caught.value.words


@pytest.mark.parametrize(
    ("told", "max_age_s"),
    [
        ("", None), ("max-age=60", 60), ("public, max-age=3600", 3600), ("no-store", 0), ("private,no-cache", 0),
        ("max-age=99999999999999999999", None), ("s-max-age=5", None), ("Max-Age=7", 7),
    ],
)  # fmt: skip
def test_what_is_there_and_how_long_it_holds(web: HttpsServer, told: str, max_age_s: float | None) -> None:
    web.pages["/c.pem"] = plain(CARRIER.chain, **({"Cache-Control": told} if told else {}))
    assert fetch(web, "/c.pem") == Fetched(CARRIER.chain, max_age_s)
    assert fetch(web, "/c.pem", host="127.0.0.1").data == CARRIER.chain


def test_no_redirect_is_followed(web: HttpsServer) -> None:
    web.pages["/go"] = plain(b"", 302, Location=web.url("/secret"))
    web.asked.clear()
    assert "answers 302, and no redirect is followed" in fails(web, "/go")
    assert web.asked == ["/go"]


def test_other_answers(web: HttpsServer) -> None:
    assert "answers 404" in fails(web, "/none")
    web.pages["/broken"] = lambda request: request.wfile.write(b"nonsense\r\n\r\n") and None
    assert "cannot be asked" in fails(web, "/broken")


def test_more_than_a_chain_is_not_read(web: HttpsServer) -> None:
    web.pages["/big"] = plain(b"x" * (64 << 10 | 1))
    assert "more than 64 KiB" in fails(web, "/big")
    web.pages["/full"] = plain(b"x" * (64 << 10))
    assert len(fetch(web, "/full").data) == 64 << 10

    def endless(request: object) -> None:
        request.send_response(200)  # type: ignore[attr-defined]
        request.end_headers()  # type: ignore[attr-defined]
        try:
            while True:
                request.wfile.write(b"x" * 4096)  # type: ignore[attr-defined]
        except OSError:
            pass

    web.pages["/endless"] = endless  # type: ignore[assignment]
    assert "more than 64 KiB" in fails(web, "/endless")


def test_who_takes_its_time_is_not_waited_for(web: HttpsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.net.certificate_fetch.CERTIFICATE_FETCH_S", 0.3)
    web.pages["/slow"] = lambda _: time.sleep(2)
    began = time.monotonic()
    assert "did not answer within 0.3 s" in fails(web, "/slow")
    assert time.monotonic() - began < 1.5


def test_private_addresses_are_not_asked_unless_they_are_named(web: HttpsServer) -> None:
    web.asked.clear()
    for address in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1", "::ffff:127.0.0.1"):
        assert "private network" in fails(web, "/c.pem", address, networks=())
    assert "private network" in fails(web, "/c.pem", host="127.0.0.1", networks=())
    assert "private network" in fails(web, "/c.pem", "10.0.0.1")
    assert not web.asked
    assert fetch(web, "/c.pem", "10.0.0.1", "127.0.0.1").data, "the one that may be asked is"


def test_the_name_must_be_the_server_s(web: HttpsServer) -> None:
    assert "its certificate is not taken" in fails(web, "/c.pem", host="other.example")
    assert "no address is known" in fails_to_resolve(())
    assert "cannot be looked up" in fails_to_resolve(NoAnswerError("no answer"))


def fails_to_resolve(answer: tuple[str, ...] | NoAnswerError) -> str:
    async def known(_: str) -> tuple[str, ...]:
        if isinstance(answer, NoAnswerError):
            raise answer
        return answer

    with pytest.raises(FetchError) as caught:
        asyncio.run(CertificateFetcher(known, (), "test/1").fetch(PLACE))
    return caught.value.words


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1", True), ("64:ff9b::808:808", True), ("127.0.0.1", False),
        ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False),
        ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False), ("240.0.0.1", False),
        ("255.255.255.255", False), ("198.18.0.1", False), ("::", False), ("::1", False), ("fc00::1", False),
        ("fe80::1", False), ("fec0::1", False), ("ff02::1", False), ("::ffff:8.8.8.8", False),
        ("2002:7f00:1::", False), ("2001:0:1::", False), ("64:ff9b::7f00:1", False), ("64:ff9b:1::1", False),
        ("::7f00:1", False),
    ],
)  # fmt: skip
def test_addresses_of_the_internet(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


# -- the file of authorities -------------------------------------------------------------------------------------------


def test_the_file_of_authorities_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.net.stir_authorities.LOOK_EVERY_S", 0.02)
    file, trusted, said = tmp_path / "authorities.pem", [], []
    file.write_bytes(CARRIER.authority.pem)
    authorities = StirAuthorities(file, trusted.append, said.append)
    authorities.load()
    authorities.watch(lambda call: call())
    try:
        assert trusted == [TRUSTED]
        file.write_bytes(b"nobody")
        deadline = time.monotonic() + 10
        while len(said) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "the authorities of before" in said[1]
        file.write_bytes(CARRIER.authority.pem + Carrier().authority.pem)
        while len(trusted) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(trusted[1].certificates) == 2
    finally:
        authorities.stop()


@pytest.mark.parametrize("content", [None, b"", b"nobody"])
def test_a_file_that_cannot_be_used_is_told_at_the_start(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BridgeError, match="--stir-authorities"):
        StirAuthorities(file, lambda _: None, lambda _: None).load()
