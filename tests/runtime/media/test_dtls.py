"""Two ends of DTLS in memory: keys that fit, and nobody gets one with another's certificate."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runtime.media import rtp
from runtime.media.dtls import Dtls, DtlsError, Fingerprint, new_identity
from runtime.media.protection import Protection

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLIENT, SERVER = new_identity(NOW), new_identity(NOW)


def shake(client: Dtls, server: Dtls, lose: int = 0) -> list[bytes]:
    """Carry datagrams until both are silent; the data that arrived. The first `lose` ones get lost."""
    client.start()
    arrived: list[bytes] = []
    moved = True
    while moved:
        moved = False
        for one, other in ((client, server), (server, client)):
            for datagram in one.datagrams_to_send():
                moved = True
                if lose:
                    lose -= 1
                else:
                    arrived += other.receive(datagram)
    return arrived


def pair(
    shown_to_client: Fingerprint = SERVER.fingerprint, shown_to_server: Fingerprint = CLIENT.fingerprint
) -> tuple[Dtls, Dtls]:
    return Dtls(CLIENT, (shown_to_client,), client=True), Dtls(SERVER, (shown_to_server,), client=False)


def test_media_goes_both_ways_and_only_once() -> None:
    client, server = pair()
    shake(client, server)
    assert client.keys is not None
    assert server.keys is not None
    ends = Protection(client.keys), Protection(server.keys)
    for one, other in (ends, ends[::-1]):
        packet = rtp.header(0, True, 1, 2, 3) + bytes(160)
        protected = one.protect(packet)
        assert protected is not None
        assert other.unprotect(protected) == packet
        assert other.unprotect(protected) is None, "a repetition"
        assert other.unprotect(protected[:-1] + bytes([protected[-1] ^ 1])) is None
        assert other.unprotect(b"") is None
        assert other.unprotect_rtcp(bytes(40)) is None


def test_data_travels_beside_media() -> None:
    client, server = pair()
    shake(client, server)
    client.send(b"hello")
    assert shake(client, server) == [b"hello"]


@pytest.mark.parametrize("side", ["client", "server"])
def test_another_certificate_than_the_one_in_the_answer_ends_the_handshake(side: str) -> None:
    stranger = new_identity(NOW).fingerprint
    client, server = pair(**{f"shown_to_{side}": stranger})
    with pytest.raises(DtlsError, match="certificate"):
        shake(client, server)
    assert (client if side == "client" else server).keys is None


def test_noise_is_no_handshake() -> None:
    _, server = pair()
    for noise in (b"\x16", b"\x16\xfe\xff" + bytes(30), bytes([22]) * 2000):
        try:
            server.receive(noise)
        except DtlsError:
            pass
    assert server.keys is None


def test_a_goodbye_is_heard() -> None:
    client, server = pair()
    shake(client, server)
    client.close()
    shake(client, server)
    assert server.closed
