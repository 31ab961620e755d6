"""Keeps what may be a secret out of every message: manifests name the places of secrets, but people slip.

A complaint shows the line in question, and some repeat a value; both ask here first. A word too many is masked gladly:
nobody misses a harmless value in a message. Called by `build`, `reading` and `folder`.
"""

from __future__ import annotations

import re

from schemas.resources.values import without_credentials

MASK = "****"

_WORD = (
    r"(?:(?!secretKeyRef)(?:\w*(?:passw|passphrase|passcode|pwd|secret|token|credential|authorization)\w*|\w*pass|\w*key(?:s|From)?|[-\w]*key-[-\w]*)"
    r"|pin(?:[_A-Z]\w*|code)?)"
)
_PLACE = r"\{\s*(?:env|file)\s*:\s*[^\s,{}]+\s*\}|\{\s*secretKeyRef\s*:\s*\{[^{}]*\}\s*\}"
_COLON = r"""["']?[ \t]*:[ \t]*"""
_IN_LINE = re.compile(
    rf"""(?P<place>(?<!\w)(?i:{_WORD}){_COLON}(?:{_PLACE})|(?<!\w)secretKeyRef{_COLON}\{{[^{{}}]*\}})"""
    rf"""|(?P<name>(?<!\w)(?i:{_WORD}){_COLON})\S.*"""
)
_HARMLESS = rf"""["']?(?:(?:user\w*|realm){_COLON}[^,{{}}]*|passwordFrom{_COLON}(?:{_PLACE})[ \t]*)"""
_UNDER_AUTH = re.compile(
    rf"""((?<!\w)["']?auth{_COLON}(?:\{{[ \t]*(?:{_HARMLESS},[ \t]*)*)?)(?!{_HARMLESS}(?:[,}}]|$)|[{{}}])\S.*"""
)
"""`auth:` in one line with more, or other, than a user name and the place of a password."""

_NAME = re.compile(
    rf"(?<!\w)(?i:{_WORD})(?!\w)|(?<!\w)auth(?:\[\d+\])*$|(?<!\w)auth(?:\[\d+\])*\.(?!(?:user\w*|realm)(?!\w))"
)


def names_a_secret(path: str) -> bool:
    """Whether a field's name, or one on its path, says that its value may be a secret."""
    return _NAME.search(path) is not None


def masked(line: str) -> str:
    """A line of a manifest; whatever follows the name of a secret and is not the place of one is replaced."""
    line = _IN_LINE.sub(lambda found: found["place"] or found["name"] + MASK, line)
    return without_credentials(_UNDER_AUTH.sub(lambda found: found[1] + MASK, line))
