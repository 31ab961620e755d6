"""What a command knows of the PINs in tables: whether one opens a rule, and why it cannot tell of another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from reconciler.model.secrets import Unreadable, folder_of, place_name
from reconciler.model.standing import Declared
from reconciler.settings import Settings
from schemas.resources.dispatch_rule import DispatchRule
from schemas.seal import PIN, Place, Sealer, Unseal, opens_pin, unseals_nothing
from schemas.secret_key import read_key
from schemas.tables.decisions import OpensPin, UnknownPin
from schemas.tables.rows import Kind, RuleRow

NO_PIN = "what is there is no PIN that a caller can enter"


@dataclass(frozen=True, slots=True)
class Pins:
    """The two questions that `schemas.tables.explain` has about PINs."""

    opens: OpensPin
    unknown: UnknownPin


def declared_pins(declared: Declared) -> Pins:
    """Those that manifests name, as far as they were found."""
    sealer, missing = declared.secrets.sealer, dict[str, str]()
    for file in declared.files.values():
        for source in file.sources:
            document = source.document
            if not isinstance(document, DispatchRule) or document.spec.pin_from is None or source.key is None:
                continue
            found = declared.secrets.found.get(place_name(document.spec.pin_from, folder_of(source.place.file)))
            if isinstance(found, Unreadable):
                missing[source.key[1]] = found.what
    return _pins(sealer.unseal if sealer is not None else unseals_nothing, missing, NO_PIN)


def live_pins(settings: Settings) -> Pins:
    """Those in the live tables, unsealed by the key of the state folder. Raises SecretKeyError."""
    key = read_key(settings.state, os.environ)
    if key is None:
        return _pins(unseals_nothing, {}, f"it is sealed, and {settings.state} has no key")
    return _pins(Sealer(key).unseal, {}, f"it is sealed, and not with the key of {settings.state}")


def _pins(unseal: Unseal, missing: Mapping[str, str], otherwise: str) -> Pins:
    def unknown(rule: RuleRow) -> str:
        if rule.pin is None or unseal(Place(Kind.RULE, rule.id, PIN), rule.pin.sealed) is not None:
            return ""
        return missing.get(rule.id, otherwise)

    return Pins(partial(opens_pin, unseal), unknown)
