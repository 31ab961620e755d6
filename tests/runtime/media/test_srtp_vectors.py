"""SRTP against the vectors of its RFCs: 3711 (appendix B), 6188 (section 7) and 7714 (sections 16 and 17).

RFC 7714 gives packets for session keys and libsrtp takes master keys; so packets are made here by AES-GCM as the RFC
says and found equal to its vectors, and libsrtp's packets are found equal to those that are made so from derived keys.
"""

from __future__ import annotations

from random import Random

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.media import rtcp, rtp, srtp_cm
from runtime.media.srtp import SUITES, opener, sealer
from runtime.media.srtp_cm import derive

pytestmark = pytest.mark.usefixtures("each_core")


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


MASTER_128 = octets("E1F97A0D3E018BE0D64FA32C06DE4139"), octets("0EC675AD498AFEEBB6960B3AABE6")
MASTER_256 = (
    octets("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6"),
    octets("3b04803de51ee7c96423ab5b78d2"),
)


@pytest.mark.parametrize(
    ("master", "label", "key"),
    [
        (MASTER_128, 0, "C61E7A93744F39EE10734AFE3FF7A087"),
        (MASTER_128, 2, "30CBBC08863D8C85D49DB34A9AE1"),
        (MASTER_128, 1, "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"),
        (MASTER_256, 0, "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"),
        (MASTER_256, 2, "fa31791685ca444a9e07c6c64e93"),
        (MASTER_256, 1, "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"),
    ],
)
def test_session_keys(master: tuple[bytes, bytes], label: int, key: str) -> None:
    """RFC 3711 appendix B.3, RFC 6188 section 7.4."""
    assert derive(*master, label, len(key) // 2) == octets(key)


@pytest.mark.parametrize(
    ("key", "blocks"),
    [
        (
            "2B7E151628AED2A6ABF7158809CF4F3C",
            "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0",
        ),
        (
            "57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98",
            "92bdd28a93c3f52511c677d08b5515a49da71b2378a854f67050756ded165bac63c4868b7096d88421b563b8c94c9a31",
        ),
    ],
)
def test_the_key_stream(key: str, blocks: str) -> None:
    """RFC 3711 appendix B.2, RFC 6188 section 7.1: the session salt is F0F1…FD, SSRC and index are zero."""
    keys = srtp_cm._Keys(bytes(len(octets(key)) + 14), 0)
    keys._block, keys._salt = srtp_cm._encryptor(octets(key)), int.from_bytes(octets("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"))
    assert keys.crypt(bytes(48), bytes(4), 0) == octets(blocks)


def test_a_packet_of_aes_cm() -> None:
    """The reference packet of libsrtp's own tests, by the keys of RFC 3711 appendix B.3."""
    plain = octets("800f1234decafbadcafebabe" + "ab" * 16)
    wire = octets("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb")
    master = b"".join(MASTER_128)
    assert srtp_cm.sealer(master, 10)[0](plain) == wire
    assert sealer(SUITES["AES_CM_128_HMAC_SHA1_80"], master)[0](plain) == wire
    assert srtp_cm.opener(master, 10)[0](wire) == plain


packets = st.builds(
    lambda ssrc, payload, marker, extended: (
        rtp.write(rtp.RtpPacket(0, marker, 0, 160, ssrc, payload, (1, 2), (0xBEDE, b"\x10\xaa\x00\x00")))
        if extended
        else rtp.header(0, marker, 0, 160, ssrc) + payload
    ),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=300),
    st.booleans(),
    st.booleans(),
)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([10, 4]), st.randoms(use_true_random=False), packets)
def test_ours_is_libsrtps_where_both_can(tag: int, random: Random, packet: bytes) -> None:
    profile = SUITES["AES_CM_128_HMAC_SHA1_80" if tag == 10 else "AES_CM_128_HMAC_SHA1_32"]
    master = random.randbytes(30)
    ours, theirs = srtp_cm.sealer(master, tag), sealer(profile, master)
    opens, libsrtp_opens = srtp_cm.opener(master, tag), opener(profile, master)
    sequence = random.randrange(65_536)
    taken: int | None = None  # a receiver knows no roll-over that it heard nothing around (RFC 3711 section 3.3.1)
    for _ in range(40):
        sequence += random.choice([1, 1, 1, 2, 7, 9_000])
        data = packet[:2] + (sequence & 0xFFFF).to_bytes(2) + packet[4:]
        wire = ours[0](data)
        assert wire == theirs[0](data)
        if wire is not None and (taken is None or sequence - taken > 20_000 or random.random() < 0.8):
            taken = sequence
            assert opens[0](wire) == libsrtp_opens[0](wire) == data
            assert opens[0](wire) is libsrtp_opens[0](wire) is None
        report = rtcp.write((rtcp.ReceiverReport(random.getrandbits(32) if random.random() < 0.2 else 7),))
        secured = ours[1](report)
        assert secured is not None
        assert len(secured) == len(report) + 14
        assert libsrtp_opens[1](secured) == report
        assert opens[1](theirs[1](report) or b"") == report


GCM_PLAIN = octets("47616c6c696120657374206f6d6e697320646976697361 20696e207061727465732074726573".replace(" ", ""))
GCM_HEADER = octets("8040f17b8041f8d35501a0b2")
GCM_SALT = octets("517569642070726f2071756f")


def gcm_packet(key: bytes, salt: bytes, header: bytes, plain: bytes, roll_overs: int = 0) -> bytes:
    """RFC 7714 sections 8.1 and 8.2."""
    vector = int.from_bytes(bytes(2) + header[8:12] + roll_overs.to_bytes(4) + header[2:4]) ^ int.from_bytes(salt)
    return header + AESGCM(key).encrypt(vector.to_bytes(12), plain, header)


@pytest.mark.parametrize(
    ("key", "wire"),
    [
        (
            bytes(range(16)),
            "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce",
        ),
        (
            bytes(range(32)),
            "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
    ],
)
def test_packets_of_aes_gcm(key: bytes, wire: str) -> None:
    """RFC 7714 sections 16.1.1 and 16.2.1."""
    assert gcm_packet(key, GCM_SALT, GCM_HEADER, GCM_PLAIN) == GCM_HEADER + octets(wire)


@pytest.mark.parametrize("suite", ["AEAD_AES_128_GCM", "AEAD_AES_256_GCM"])
def test_libsrtps_gcm_is_what_the_rfc_says_by_derived_keys(suite: str) -> None:
    profile = SUITES[suite]
    random = Random(7)
    master = random.randbytes(profile.key_bytes + profile.salt_bytes)
    # RFC 7714 section 11: AES-CM derives them, with the salt made longer by zeros.
    key, salt = master[: profile.key_bytes], master[profile.key_bytes :] + bytes(2)
    session_key, session_salt = derive(key, salt, 0, profile.key_bytes), derive(key, salt, 2, 12)
    seal = sealer(profile, master)[0]
    for n in range(65_530, 65_560):
        header, payload = rtp.header(0, False, n & 0xFFFF, n, 0x5501A0B2), random.randbytes(160)
        assert seal(header + payload) == gcm_packet(session_key, session_salt, header, payload, n >> 16)
