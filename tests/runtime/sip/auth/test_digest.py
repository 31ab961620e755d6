"""The arithmetic against the RFCs' own numbers."""

from __future__ import annotations

import hashlib

import pytest

from runtime.sip.auth.digest import Algorithm, Exchange, read_algorithm, response

MUFASA = Exchange(
    "GET", "/dir/index.html", "http-auth@example.org", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "auth", "00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
)  # fmt: skip
JASON = Exchange(
    "GET", "/doe.json", "api@example.org", "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
    "auth", "00000001", "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
)  # fmt: skip


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        (Algorithm.MD5, "8ca523f5e9506fed4657c9700eebdbec"),
        (Algorithm.SHA_256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_section_3_9_1(algorithm, expected):
    assert response(algorithm, MUFASA, "Mufasa", b"Circle of Life") == expected


def test_rfc_7616_section_3_9_2_with_the_function_that_it_names():
    found = response(Algorithm.SHA_512_256, JASON, "Jäsøn Doe", b"Secret, or not?")
    assert found == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5", "erratum 4897"


def test_rfc_7616_section_3_9_2_as_printed_is_sha_512_cut_short():
    def cut(data):
        return hashlib.sha512(data).hexdigest()[:64]

    secret, asked = cut("Jäsøn Doe:api@example.org:Secret, or not?".encode()), cut(b"GET:/doe.json")
    text = f"{secret}:{JASON.nonce}:{JASON.nc}:{JASON.cnonce}:auth:{asked}"
    assert cut(text.encode()) == "ae66e67d6b427bd3f120414a82e4acff38e8ecd9101d6c861229025f607a79dd"


def test_without_a_quality_of_protection_as_rfc_2069():
    exchange = Exchange("GET", "/dir/index.html", "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093")
    found = response(Algorithm.MD5, exchange, "Mufasa", b"CircleOfLife")
    assert found == "1949323746fe6a43ef61f9606e7febea", "RFC 2069 section 2.4, erratum 749"


def test_by_session_the_nonces_go_into_the_secret():
    def md5(text):
        return hashlib.md5(text.encode()).hexdigest()

    secret = md5(f"{md5('Mufasa:http-auth@example.org:Circle of Life')}:{MUFASA.nonce}:{MUFASA.cnonce}")
    text = f"{secret}:{MUFASA.nonce}:{MUFASA.nc}:{MUFASA.cnonce}:auth:{md5('GET:/dir/index.html')}"
    assert response(Algorithm.MD5, MUFASA, "Mufasa", b"Circle of Life", by_session=True) == md5(text)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("MD5", (Algorithm.MD5, False)),
        ("md5-SESS", (Algorithm.MD5, True)),
        ("sha-256", (Algorithm.SHA_256, False)),
        ("SHA-256-sess", (Algorithm.SHA_256, True)),
        ("SHA-512-256", (Algorithm.SHA_512_256, False)),
        ("SHA-512", None),
        ("AKAv1-MD5", None),
        ("", None),
        ("-sess", None),
    ],
)
def test_algorithms_are_known_by_name_in_any_case(name, known):
    assert read_algorithm(name) == known


def test_sha_512_256_is_a_function_of_its_own():
    assert Algorithm.SHA_512_256.hash(b"abc") == "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
