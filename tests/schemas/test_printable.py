"""What strangers say is shown as it is, but for what could steer a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.printable import printable


@given(st.text())
def test_it_can_be_printed_on_one_line_and_keeps_its_length(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) == len(text)
    assert all(new == "\N{REPLACEMENT CHARACTER}" or new == old for new, old in zip(shown, text, strict=True))
    assert printable(shown) == shown


def test_words_of_any_language_stay_and_commands_to_a_terminal_go() -> None:
    assert printable("Grüße, 東京 🎉") == "Grüße, 東京 🎉"
    assert printable("a\x1b[2J\r\n\u202eb\x9b") == "a�[2J���b�"
