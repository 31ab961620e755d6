"""Encrypted media (SRTP by SDES) with baresip, by TLS: in and out, in each suite that it speaks, and on the wire."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.interop.test_dialling import THEIRS, Calling
from tests.interop.test_tls import baresip_config
from tests.linphone import Linphone
from tests.peers import Baresip, BridgeProcess, baresip_modules, free_port, wait_for
from tests.sound import GOOD_FIT, SPEECH_PCMU, fit, speech
from tests.wire import capturing

pytestmark = [pytest.mark.peer("baresip"), pytest.mark.xdist_group("baresip")]
TALK_S = 3.0
FILE_S = 60.0
STRAY = 1
"""The last goodbye of baresip (RTCP) goes out in clear, and is not believed."""
SUITES = ("AEAD_AES_256_GCM", "AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")

RULES = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {{name: local}}
spec:
  inbound: {{allowedAddresses: [127.0.0.0/8]}}
  media: {{encryption: {policy}}}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {{name: echo}}
spec: {{rule: {{individual: {{roomPrefix: echo-}}}}}}
"""


@contextmanager
def answering(work: Path, policy: str) -> Iterator[tuple[BridgeProcess, int, Authority]]:
    """A bridge whose trunk has this policy; its TLS port."""
    authority, port = Authority(work), free_port(socket.SOCK_STREAM)
    folder = work / "manifests"
    folder.mkdir()
    (folder / "rules.yaml").write_text(RULES.format(policy=policy))
    pair = authority.pair("bridge", "localhost")
    with BridgeProcess(folder, work, "--listen", f"tls://127.0.0.1:{port}", *pair.options) as bridge:
        yield bridge, port, authority


def only(work: Path, suite: str) -> Path:
    """baresip's modules, of which `srtp` has names that nobody knows for all suites but one."""
    folder = work / "modules"
    folder.mkdir()
    for module in Path(baresip_modules()).iterdir():
        if module.name != "srtp.so":
            (folder / module.name).symlink_to(module)
    binary = (Path(baresip_modules()) / "srtp.so").read_bytes()
    for other in SUITES:
        if other != suite:
            assert other.encode() in binary
            binary = binary.replace(other.encode() + b"\0", b"X" + other.encode()[1:] + b"\0")
    (folder / "srtp.so").write_bytes(binary)
    return folder


def phone(work: Path, authority: Authority, said: Path, way: str, suite: str = "", **more: bool) -> Baresip:
    """A baresip that encrypts media in this way: `srtp` as it can, `srtp-mand` always; `suite`: by no other."""
    tls = baresip_config(work, authority.pair("phone", "localhost"), authority)
    modules = only(work, suite) if suite else Path(baresip_modules())
    name = THEIRS if more else "+15550101111"
    more_lines = tls + "module srtp.so\n"
    return Baresip(work / "phone", name, said, login=f";mediaenc={way}", more=more_lines, modules=modules, **more)


def talk(bridge: BridgeProcess, caller: Baresip, port: int, said: Path) -> dict[str, object]:
    """A call of the phone's, in which it has to hear itself; its record."""
    caller.do("dial", f"sip:+16660000009@127.0.0.1:{port};transport=tls")
    wait_for(lambda: "Call established" in caller.log(), f"an answer: {caller.log()}")
    time.sleep(TALK_S)
    caller.do("hangup")
    [record] = wait_for(bridge.records, "the record")
    assert fit(said, caller.heard()) > GOOD_FIT
    return dict(record)


@pytest.mark.parametrize(("policy", "way"), [("allow", "srtp"), ("require", "srtp"), ("require", "srtp-mand")])
def test_a_phone_that_encrypts_calls(tmp_path: Path, policy: str, way: str) -> None:
    said = speech(tmp_path / "said.wav", FILE_S)
    with answering(tmp_path, policy) as (bridge, port, authority), phone(tmp_path, authority, said, way) as caller:
        record = talk(bridge, caller, port, said)
        assert "SRTP is Enabled" in caller.log()
    assert record["mediaEncryption"] == "SDES AES_CM_128_HMAC_SHA1_80", "it offers no other"
    media = record["media"]
    assert isinstance(media, dict)
    assert media["packetsReceived"] > TALK_S * 40
    assert (media["packetsUnauthentic"] <= STRAY, media["packetsLost"]) == (True, 0)


def test_a_plain_phone_is_let_in_where_that_is_allowed(tmp_path: Path) -> None:
    said = speech(tmp_path / "said.wav", FILE_S)
    with answering(tmp_path, "allow") as (bridge, port, authority), phone(tmp_path, authority, said, "") as caller:
        assert talk(bridge, caller, port, said)["mediaEncryption"] == ""


def test_a_plain_phone_is_refused_where_encryption_is_required(tmp_path: Path) -> None:
    said = speech(tmp_path / "said.wav", FILE_S)
    with answering(tmp_path, "require") as (bridge, port, authority), phone(tmp_path, authority, said, "") as caller:
        caller.do("dial", f"sip:+16660000009@127.0.0.1:{port};transport=tls")
        [record] = wait_for(bridge.records, "the record")
    assert (record["sipStatus"], record["reason"]) == (488, "media")
    assert "encrypted media is required" in record["words"]


@pytest.mark.parametrize(
    ("policy", "way", "suite"),
    [
        ("require", "srtp-mand", "AEAD_AES_128_GCM"),
        ("require", "srtp", "AEAD_AES_256_GCM"),
        ("allow", "srtp", "AES_CM_128_HMAC_SHA1_80"),
        ("allow", "srtp-mand", ""),
    ],
)
def test_a_phone_that_encrypts_is_called(tmp_path: Path, policy: str, way: str, suite: str) -> None:
    authority = Authority(tmp_path)
    said = speech(tmp_path / "said.wav", FILE_S)
    listen = ("--listen", f"tls://127.0.0.1:{free_port(socket.SOCK_STREAM)}", *authority.pair("bridge").options)
    options = ("--tls-ca", str(authority.file), *listen)
    with (
        phone(tmp_path, authority, said, way, suite, answers=True) as called,
        Calling(
            tmp_path, called.port + 1, "tls", host="localhost", options=options, media=f", encryption: {policy}"
        ) as bridge,
    ):
        bridge.dial(wait_until_answered=True)
        time.sleep(TALK_S)
        called.do("hangup")
        [record] = wait_for(bridge.records, "the record")
        heard = called.heard()
    assert record["mediaEncryption"].startswith("SDES ")
    assert record["mediaEncryption"].endswith(suite)
    assert record["reason"] == "hangup"
    assert record["media"]["packetsUnauthentic"] <= STRAY
    assert fit(said, heard) > GOOD_FIT


@pytest.mark.peer("tshark")
@pytest.mark.parametrize("policy", ["require", "disable"])
def test_what_is_said_is_on_the_wire_only_where_nothing_is_encrypted(tmp_path: Path, policy: str) -> None:
    said, dump = speech(tmp_path / "said.wav", FILE_S), tmp_path / "wire.pcap"
    way = "srtp-mand" if policy == "require" else ""
    with (
        answering(tmp_path, policy) as (bridge, port, authority),
        phone(tmp_path, authority, said, way) as caller,
        capturing(dump, caller.rtp_ports),
    ):
        talk(bridge, caller, port, said)
        time.sleep(0.5)
    wire = dump.read_bytes()
    assert len(wire) > TALK_S * 50 * 160
    pieces = [SPEECH_PCMU[at : at + 40] for at in range(0, len(SPEECH_PCMU) - 40, 40)]
    loud = [piece for piece in pieces if len(set(piece)) > 20]
    found = sum(piece in wire for piece in loud)
    assert found == 0 if policy == "require" else found > len(loud) / 4


DTLS = "module dtls_srtp.so\n"
ICE = DTLS + "module stun.so\nmodule turn.so\nmodule ice.so\nice_mode full\n"


@pytest.mark.parametrize(
    ("more", "account"),
    [
        (DTLS, ";mediaenc=dtls_srtp"),
        (DTLS + "rtcp_mux yes\n", ";mediaenc=dtls_srtp"),
        (ICE + "rtcp_mux yes\n", ";mediaenc=dtls_srtp;medianat=ice"),
        (ICE, ";mediaenc=dtls_srtp;medianat=ice"),
    ],
    ids=["two-sockets", "one-socket", "ice-one-socket", "ice-two-sockets"],
)
def test_a_phone_that_shakes_hands_calls(tmp_path: Path, more: str, account: str) -> None:
    said = speech(tmp_path / "said.wav", FILE_S)
    with answering(tmp_path, "require") as (bridge, port, authority):
        tls = baresip_config(tmp_path, authority.pair("phone", "localhost"), authority)
        with Baresip(tmp_path / "phone", "+15550101111", said, login=account, more=tls + more) as caller:
            record = talk(bridge, caller, port, said)
            assert "DTLS-SRTP complete" in caller.log()
    assert str(record["mediaEncryption"]).startswith("DTLS ")
    media = record["media"]
    assert isinstance(media, dict)
    assert media["packetsReceived"] > TALK_S * 40


@pytest.mark.parametrize(
    ("policy", "account", "told"),
    [("require", ";mediaenc=dtls_srtp", "DTLS "), ("allow", ";mediaenc=dtls_srtp", "DTLS "), ("allow", "", "")],
    ids=["required", "optional", "refused"],
)
def test_a_phone_is_offered_a_handshake(tmp_path: Path, policy: str, account: str, told: str) -> None:
    said = speech(tmp_path / "said.wav", FILE_S)
    more = DTLS + "rtcp_mux yes\n" if account else ""
    with (
        Baresip(tmp_path / "phone", THEIRS, said, login=account, more=more, answers=True) as called,
        Calling(tmp_path, called.port, media=f", encryption: {policy}, keying: [dtls]") as bridge,
    ):
        bridge.dial(wait_until_answered=True)
        time.sleep(TALK_S)
        called.do("hangup")
        [record] = wait_for(bridge.records, "the record")
        heard = called.heard()
    assert record["mediaEncryption"].startswith(told)
    assert bool(record["mediaEncryption"]) is bool(told)
    assert fit(said, heard) > GOOD_FIT


def encrypting(how: str, suites: str = "") -> str:
    """Lines of linphone's configuration: nothing but this, by these suites."""
    return f"media_encryption={how}\nmedia_encryption_mandatory=1\nsrtp_crypto_suites={suites}"


@pytest.mark.peer("linphonec")
@pytest.mark.parametrize(
    ("media", "told"),
    [
        (encrypting("srtp", "AES_256_CM_HMAC_SHA1_80"), "SDES AES_256_CM_HMAC_SHA1_80"),
        (encrypting("srtp", "AES_256_CM_HMAC_SHA1_32"), "SDES AES_256_CM_HMAC_SHA1_32"),
        (encrypting("srtp", "AES_CM_128_HMAC_SHA1_80"), "SDES AES_CM_128_HMAC_SHA1_80"),
        (encrypting("srtp", "AES_CM_128_HMAC_SHA1_32"), "SDES AES_CM_128_HMAC_SHA1_32"),
        (encrypting("dtls"), "DTLS "),
    ],
    ids=["256-80", "256-32", "128-80", "128-32", "dtls"],
)
def test_linphone_calls_in_the_suites_that_baresip_has_not(tmp_path: Path, media: str, told: str) -> None:
    with (
        answering(tmp_path, "require") as (bridge, port, authority),
        Linphone(tmp_path / "one", "+15550101111", authority.file, media=media) as phone,
    ):
        phone.do(f"call sip:+16660000001@localhost:{port};transport=tls")
        phone.settles("LinphoneCallStreamsRunning")
        phone.do(f"play {speech(tmp_path / 'said.wav', FILE_S)}")
        time.sleep(TALK_S)
        phone.do("terminate")
        [record] = wait_for(bridge.records, "the record")
        assert phone.has("SIP/2.0 200 OK", "a=crypto:" if told.startswith("SDES") else "a=fingerprint:")
    assert record["mediaEncryption"].startswith(told)
    media_of = record["media"]
    assert media_of["packetsReceived"] > TALK_S * 30
    assert media_of["packetsLost"] == 0
