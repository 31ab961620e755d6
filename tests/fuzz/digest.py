"""Digest authentication: the four header fields, our server and our client, and the two against each other.

An input is the value of a header line; what is behind `NEXT` is a user name, a realm and a password.
"""

from __future__ import annotations

from random import Random

from runtime.sip.auth.client import Authorizer, Login
from runtime.sip.auth.digest import ALGORITHMS
from runtime.sip.auth.headers import Challenge, Credentials, parse_challenges, parse_credentials
from runtime.sip.auth.limits import VALUES_MAX
from runtime.sip.auth.server import Account, Asked, DigestServer, Failed, Proven
from runtime.sip.errors import SipSyntaxError
from runtime.sip.grammar import has_illegal_control
from runtime.sip.message import Headers, Request, Response
from tests.fuzz.signalling import NEXT

SOURCE, URI, NOW = "198.51.100.7", "sip:+15550100000@192.0.2.1", 1000.0
NONCE = "@@nonce@@"
"""Stands for a nonce that the server has given."""
PASSWORD = "no token, and in no input"
ACME = Account("default/acme", "acme", PASSWORD.encode(), "example.com")

WORDS = tuple(
    word.encode()
    for word in (
        "Digest ", "Basic ", "username=", "realm=", "nonce=", "uri=", "response=", "algorithm=", "cnonce=", "nc=",
        "qop=", "opaque=", "stale=true", "domain=", "userhash=true", "charset=UTF-8", "username*=UTF-8''acme", "-sess",
        "MD5", "SHA-256", "SHA-512-256", '"auth,auth-int"', "auth", "00000001", "ffffffff", '"acme"', '"example.com"',
        f'"{NONCE}"', f'"{URI}"', '\\"', "\\", ", ", "=", '"', "\t", "~~~",
    )
)  # fmt: skip


def fuzz_digest(data: bytes) -> None:
    """One header value in all four fields, and one account whose owner comes in whatever its texts are."""
    line, *texts = data.split(NEXT)
    text = _header_text(line)
    if text is not None:
        _check_readers(text)
        _check_server(text)
        _check_client(text)
    _check_agreement([_plain(part) for part in (*texts, b"", b"", b"")[:3]])


def _check_readers(text: str) -> None:
    """What is read is read the same from what we write, and is no more than we allow."""
    for parse in (parse_challenges, parse_credentials):
        try:
            found: list[Challenge] | list[Credentials] = parse([text])
        except SipSyntaxError:
            continue
        assert len(found) <= VALUES_MAX
        for value in found:
            assert parse([str(value)]) == [value]


def _check_server(text: str) -> None:
    """No guess comes in, and whatever happens is a verdict that tells nothing of the password."""
    server = DigestServer(Random(0).randbytes)
    asked = server.judge(_request(), ACME, SOURCE, NOW)
    assert isinstance(asked, Asked)
    nonce = parse_challenges([asked.headers[0][1]])[0].nonce
    for name in ("Authorization", "Proxy-Authorization"):
        verdict = server.judge(_request((name, text.replace(NONCE, nonce))), ACME, SOURCE, NOW)
        assert isinstance(verdict, Asked | Failed)
        assert PASSWORD not in repr(verdict)
        if isinstance(verdict, Failed):
            assert verdict.status in (400, 401, 403)
        for _, challenge in verdict.headers:
            assert len(parse_challenges([challenge])) == 1
    server.vouches(text.encode(), SOURCE, NOW)


def _check_client(text: str) -> None:
    """An answer, if there is one, can be read, answers the first line's realm, and does not hold the password."""
    for status, asks in ((401, "WWW-Authenticate"), (407, "Proxy-Authenticate")):
        authorizer = Authorizer(Login("acme", PASSWORD.encode()), Random(0).randbytes)
        answer = authorizer.answer(_request(), Response(status, "", Headers([(asks, text)])))
        if answer is None:
            continue
        name, value = answer
        (credentials,) = parse_credentials([value], name)
        assert credentials.realm in {challenge.realm for challenge in parse_challenges([text])}
        assert credentials.uri == URI
        assert PASSWORD not in value


def _check_agreement(texts: list[str]) -> None:
    """Client and server agree on every user name, realm and password, by every algorithm."""
    username, realm, password = texts
    for algorithm in ALGORITHMS:
        account = Account("default/any", username, password.encode(), realm, (algorithm,))
        server = DigestServer(Random(0).randbytes)
        asked = server.judge(_request(), account, SOURCE, NOW)
        assert isinstance(asked, Asked)
        login = Login(username, password.encode())
        answer = Authorizer(login, Random(1).randbytes).answer(_request(), Response(401, "", Headers(asked.headers)))
        assert answer is not None
        assert server.judge(_request(answer), account, SOURCE, NOW) == Proven()


def _request(*headers: tuple[str, str]) -> Request:
    return Request("INVITE", URI, Headers(headers))


def _header_text(data: bytes) -> str | None:
    """The value as a parsed header would have it, None for what the parser never lets through."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return None if has_illegal_control(text) else text.strip(" \t")


def _plain(data: bytes) -> str:
    """A text that a manifest may hold: no control characters."""
    return "".join(char for char in data.decode(errors="replace") if char.isprintable())[:200]


def digest_seeds() -> list[bytes]:
    """Both directions, as peers write them."""
    whole = (
        f'username="acme", realm="example.com", nonce="{NONCE}", uri="{URI}", '
        f'response="6629fae49393a05397450978507c4ef1"'
    )
    values = (
        'Digest realm="example.com", nonce="dcd98b7102dd2f0e", opaque="5ccc", stale=FALSE, algorithm=MD5',
        'Digest realm="a \\"b\\" \\\\", nonce="x", qop="auth,auth-int", algorithm=SHA-256, Digest realm="b", nonce="y"',
        'Basic realm="x", Digest realm="example.com", nonce="z", algorithm=SHA-512-256-sess, qop="auth"',
        f"Digest {whole}",
        f'Digest {whole}, algorithm=SHA-512-256, qop=auth, nc=00000001, cnonce="0a4f113b"',
        f'Digest {whole}, algorithm=SHA-256, qop="auth", nc=0000000A, cnonce="x", userhash=false',
        f'Digest {whole}, algorithm=AKAv1-MD5, auts="abc"',
    )
    return [value.encode() for value in values] + [
        NEXT.join((values[0].encode(), "Jäsøn Doe".encode(), b'api@example.org "\\', 'p\\"ass wörd'.encode()))
    ]
