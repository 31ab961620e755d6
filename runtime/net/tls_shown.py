"""Which certificate a listener shows: by the name that a peer asks for (SNI, RFC 6066 section 3), else the first.

There is a context for each, and one in front of them which connections begin with: OpenSSL has it turned to the right
one as soon as it has read the name. They differ in nothing but the certificate, so what else TLS must prove does not
hang on the name that a stranger chooses.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from runtime.errors import BridgeError
from runtime.net.tls_files import Held, pair_in_memory

WILDCARD: Final = "*."


def front(held: Sequence[Held], context: Callable[[], ssl.SSLContext]) -> ssl.SSLContext | None:
    """What listeners speak TLS with; None without a pair. `context` makes one that has all but a certificate.

    BridgeError where two pairs are for one name, or one is for none and so never asked for.
    """
    if not held:
        return None
    by_name = _by_name(held)
    contexts = {}
    for each in held:
        contexts[each] = context()
        pair_in_memory(contexts[each], each.certificate, each.key, str(each.pair.file))
    first = contexts[held[0]]
    shown = {name: contexts[each] for name, each in by_name.items()}

    def turn(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        connection.context = chosen(shown, name) or first

    made = context()
    made.sni_callback = turn
    return made


def chosen(by_name: Mapping[str, ssl.SSLContext], name: str | None) -> ssl.SSLContext | None:
    """What is there for the name that is asked for: for itself, else for all names of its parent."""
    asked = (name or "").rstrip(".").lower()
    return by_name.get(asked) or by_name.get(WILDCARD + asked.partition(".")[2])


def _by_name(held: Sequence[Held]) -> dict[str, Held]:
    found: dict[str, Held] = {}
    for each in held:
        for name in each.domains:
            other = found.setdefault(name, each)
            if other is not each:
                what = f"TLS cannot tell {other.pair.file} and {each.pair.file} apart: both are for {name}"
                raise BridgeError(what, "name one certificate for each name")
        if not each.domains and each is not held[0]:
            what = f"TLS would never show {each.pair.file}: it is for no name of a host"
            raise BridgeError(what, "peers choose by name (SNI), and get the first where they name none: put it first")
    return found
