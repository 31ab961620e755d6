"""Bytes of a file -> text -> one piece of text per YAML document.

A file is always cut at its `---` lines before it is parsed (at column 0 they are boundaries wherever they stand: YAML
1.2, 9.1.2 forbids them inside any scalar), so one broken document never hides the others, and a document
is read again without its neighbours. Called by `located`; also hands out single lines for the carets of complaints.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

FILE_BYTES_MAX = 64 * 1024 * 1024
DOCUMENT_CHARS_MAX = 1024 * 1024
DOCUMENTS_PER_FILE_MAX = 200_000

_BOUNDARY = re.compile(r"^(?:---|(\.\.\.))(?=[ \t\n\r]|\Z)", re.MULTILINE)
_LEAD = r"(?:[ \t]*(?:#[^\n]*)?\r?\n|%[^\n]*\n)*"
_NO_VALUE = re.compile(_LEAD + r"[ \t]*(?:#[^\n]*)?")
_NO_DOCUMENT = re.compile(_LEAD + r"\.\.\.(?:[ \t][^\n]*)?\n")
_BEFORE_VALUE = re.compile(_LEAD + r"(?:---[ \t]*(?:#[^\n]*)?\r?\n" + _LEAD + ")?")
_LONE_CR = re.compile(r"\r(?!\n)")
_LINE_BREAK = re.compile(r"\r\n|\n|\r")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NAMES = {
    "\x00": "a NUL byte",
    "\ufeff": "a byte order mark (U+FEFF) in the middle of the text",
    "\u2028": "an invisible line separator (U+2028)",
    "\u2029": "an invisible paragraph separator (U+2029)",
    "\x85": "an invisible next-line character (U+0085)",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """The text of one document and the line of the file it begins at (from 1)."""

    text: str
    line: int

    @property
    def value_line(self) -> int:
        """The line of the file on which the value itself begins, behind comments and `---`."""
        lead = _BEFORE_VALUE.match(self.text)
        return self.line + self.text.count("\n", 0, lead.end() if lead else 0)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why bytes are no text of ours: place (line and column from 1, 0 = all of it), sentence, hint, stable code."""

    line: int
    column: int
    what: str
    hint: str
    code: str


def decode(data: bytes) -> str | Unreadable:
    """The text of a file: UTF-8, with or without a byte order mark, printable, within bounds."""
    if len(data) > FILE_BYTES_MAX:
        what = f"the file is larger than {FILE_BYTES_MAX // 1024 // 1024} MiB"
        return Unreadable(0, 0, what, "split it into several files", "file-too-large")
    if data.startswith(_UTF16):
        return Unreadable(1, 1, "the file is UTF-16", "save it as UTF-8", "not-utf-8")
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line, column = position(data[: error.start].decode(errors="replace"))
        what = f"byte 0x{data[error.start]:02x} is not UTF-8"
        return Unreadable(line, column, what, "save the file as UTF-8", "not-utf-8")
    if "\r" in text:
        text = _LONE_CR.sub("\n", text)
    if strange := _FORBIDDEN.search(text):
        line, column = position(text[: strange.start()])
        what = "the text holds " + _NAMES.get(strange[0], f"a control character (U+{ord(strange[0]):04X})")
        return Unreadable(
            line, column, what, "delete it, or write it as an escape in double quotes", "control-character"
        )
    return text


def split(text: str) -> list[Piece] | None:
    """The documents of a text, comments and directives kept with the document they precede; None: far too many."""
    if "---" not in text and "..." not in text:
        return [Piece(text, 1)]
    cuts = [0]
    for boundary in _BOUNDARY.finditer(text):
        if boundary[1] is None:
            cuts.append(boundary.start())
        else:
            cuts.append(text.find("\n", boundary.end()) + 1 or len(text))
    if len(cuts) > DOCUMENTS_PER_FILE_MAX:
        return None
    pieces: list[Piece] = []
    line, counted, start = 1, 0, 0
    for cut in [*cuts[1:], len(text)]:
        if cut != len(text) and _NO_VALUE.fullmatch(text, start, cut):
            continue
        line += text.count("\n", counted, start)
        counted = start
        if not _NO_DOCUMENT.fullmatch(text, start, cut):
            pieces.append(Piece(text[start:cut], line))
        start = cut
    return pieces


def position(before: str) -> tuple[int, int]:
    """Line and column (from 1, columns in characters) of what follows the text `before`."""
    breaks = list(_LINE_BREAK.finditer(before))
    return len(breaks) + 1, len(before) - (breaks[-1].end() if breaks else 0) + 1


def source_line(text: str, line: int) -> str:
    """Line `line` (from 1) of a text, without its end; "" when there is none."""
    lines = _LINE_BREAK.split(text)
    return lines[line - 1] if 0 < line <= len(lines) else ""
