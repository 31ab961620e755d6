"""What one tick made is sent in a row, nothing waits for too many, and what cannot be sent is lost alone."""

from __future__ import annotations

from runtime.net.outbox import WAITING_MAX, Outbox


def test_datagrams_wait_for_the_flush_and_go_in_their_order() -> None:
    sent: list[tuple[bytes, str]] = []
    outbox = Outbox()
    for n in range(3):
        outbox.add(lambda data, where: sent.append((data, where)), b"%d" % n, "there")
    assert sent == []
    outbox.flush()
    outbox.flush()
    assert sent == [(b"0", "there"), (b"1", "there"), (b"2", "there")]


def test_no_more_than_so_many_wait() -> None:
    sent: list[int] = []
    outbox = Outbox()
    for n in range(WAITING_MAX):
        assert len(sent) == 0
        outbox.add(sent.append, n)
    assert sent == list(range(WAITING_MAX))


def test_one_that_cannot_be_sent_does_not_hold_up_the_others() -> None:
    sent: list[int] = []

    def refuses(_data: int) -> None:
        raise OSError

    outbox = Outbox()
    outbox.add(refuses, 1)
    outbox.add(sent.append, 2)
    outbox.flush()
    assert sent == [2]
