"""Documents as YAML that people like to read, and that every reader takes for the same.

A text that some YAML would take for a number, a date or a truth is quoted (a phone number always, in double quotes), a
text of several lines is a block, a short list or map stands on one line. Called by `import`; what it makes is read
again by `reading` and comes to the same documents.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from reconciler.manifests.scalars import resolve
from schemas.printable import printable

SCHEMA_FILE = "dialplane.json"
"""The JSON Schema that stands beside the manifests, for editors. No reader of manifests looks at it."""
MODELINE = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"
WIDTH = 120
ONE_LINE_CHARS_MAX = 80
"""A list or map that is longer is written line by line."""

_BLOCKS = frozenset({"spec", "inbound", "outbound", "document"})
"""Maps that a reader looks into line by line, however short."""
_OLDER_YAML = re.compile(
    r"(?i:y|yes|n|no|on|off|true|false|null|~)|[-+]?[0-9][0-9_,:.]*|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*|0[bx].*|=|<<"
)
"""What YAML 1.1 takes for something else than a text; its readers are many."""
_PLAIN = re.compile(r"[\w/.](?:[-\w/.+()@%]| (?=[\w(])|:(?=\w))*")
"""What needs no quotes for any reader, also within brackets."""
_PLAIN_LINES = re.compile(r"[^\s#][^\t\r\x85\u2028\u2029\ufeff]*\n")


@dataclass(frozen=True, slots=True)
class Remarked:
    """A document, and what stands above it as a comment of one line ("" = nothing)."""

    data: Mapping[str, Any]
    remark: str = ""


def yaml_text(documents: Iterable[Remarked]) -> str:
    """One file of these documents, under the modeline by which editors find the schema."""
    yaml = YAML()
    yaml.width = WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    out.write(MODELINE)
    for index, document in enumerate(documents):
        out.write("---\n" if index else "")
        out.write(f"# {printable(document.remark)}\n" if document.remark else "")
        yaml.dump(_styled(document.data, "document"), out)
    return out.getvalue()


def _styled(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        styled: Any = CommentedMap({_text(key): _styled(inner, key) for key, inner in value.items()})
    elif isinstance(value, list):
        styled = CommentedSeq(_styled(item, "") for item in value)
    else:
        return value
    if name not in _BLOCKS and _fits_one_line(value):
        styled.fa.set_flow_style()
    return styled


def _text(text: str) -> Any:
    if "\n" in text and text.isascii() and all(map(_PLAIN_LINES.fullmatch, text.splitlines(keepends=True))):
        return LiteralScalarString(text)
    if not _PLAIN.fullmatch(text) or resolve(text) != text or _OLDER_YAML.fullmatch(text):
        return DoubleQuotedScalarString(text)
    return text


def _fits_one_line(value: Any) -> bool:
    return _chars(value) <= ONE_LINE_CHARS_MAX


def _chars(value: Any) -> int:
    """About how many characters a value takes on one line; too many for a text of several."""
    if isinstance(value, Mapping):
        return 2 + sum(len(key) + _chars(inner) + 4 for key, inner in value.items())
    if isinstance(value, list):
        return 2 + sum(_chars(item) + 2 for item in value)
    return len(str(value)) if str(value).isprintable() else ONE_LINE_CHARS_MAX + 1
