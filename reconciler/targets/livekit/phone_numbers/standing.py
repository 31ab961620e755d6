"""CORE. Documents beside the ledger and what LiveKit lists: which number each stands for, and what is in its way.

Nothing here guesses. A number counts as ours where the ledger says so, or the person does (`--adopt`). A document that
asks for a number and has none gets one bought only if no number of the project can be the one that an earlier run has
bought for it: after a lost state folder it is refused, and the message names the numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.errors import ReconcileError
from reconciler.model.compile import object_id_of
from reconciler.model.limits import Limit
from reconciler.model.renames import ANNOTATION
from reconciler.targets.livekit.holdings import Claim
from reconciler.targets.livekit.phone_numbers.holdings import HeldNumber, Numbers, Wish, named, wish_of
from reconciler.targets.livekit.phone_numbers.ledger import ACTIVE, Entry, Ledger, Stage
from schemas.resources.conditions import Reason
from schemas.resources.documents import Document
from schemas.resources.phone_number import PhoneNumber
from schemas.tables.rows import Kind

_NO_SERVICE = "this LiveKit server has no phone numbers of its own, only LiveKit Cloud has"
_NUMBER, _PURCHASE = ("spec", "number"), ("spec", "purchase")


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a document says of one of LiveKit's numbers. `rule` is the `namespace/name` that it points at, or ""."""

    name: str
    number: str
    wish: Wish | None
    rule: str
    direction: str
    retain: bool
    renamed_from: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """What the person says beside the documents: numbers to adopt, from which owner, and numbers of somebody else."""

    claims: tuple[Claim, ...] = ()
    take_over: str = ""
    not_mine: tuple[str, ...] = ()


@dataclass(slots=True)
class Standing:
    """One look. `ledger` is as it is to be written before anything is done."""

    owner: str
    declarations: Mapping[str, Declaration]
    held: Numbers | None
    ledger: Ledger
    elsewhere: frozenset[str] = frozenset()
    """Numbers that documents name and that arrive on trunks."""
    due: dict[str, Wish] = field(default_factory=dict)
    """The documents for which a number is still to be chosen."""
    limits: dict[str, Limit] = field(default_factory=dict)
    adopted: dict[str, str] = field(default_factory=dict)
    """Whose a number was that is adopted in this run, by the name of its document."""
    policies: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    """Where `deletionPolicy` changes: whether it was and is to be Retain."""
    settled: set[str] = field(default_factory=set)
    """Documents whose number is not ours and already is as they say."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do with such numbers."""
        return not self.declarations and not self.ledger.active(self.owner)

    def number_of(self, name: str) -> str:
        """The number that a document stands for; of one that is due, words that stand in for it; "" = none."""
        declaration, entry = self.declarations[name], self.ledger.of(self.owner, name)
        if declaration.number or entry is not None:
            return declaration.number or (entry.number if entry is not None else "")
        return f"(buys {self.due[name]} for {name})" if name in self.due else ""

    def live(self) -> dict[str, HeldNumber]:
        """The numbers that are ours and held at LiveKit, by the names that they have in the ledger."""
        held = self.held or {}
        # One that was only chosen, and never asked for, was bought by somebody else.
        entries = [entry for entry in self.ledger.active(self.owner) if entry.stage is not Stage.CHOSEN]
        mine = {entry.name: held[entry.number] for entry in entries if entry.number in held}
        return mine | {name: held[self.declarations[name].number] for name in self.settled}


def declarations_of(documents: Iterable[Document]) -> tuple[dict[str, Declaration], frozenset[str]]:
    """The documents of LiveKit's own numbers, and the numbers of all others."""
    own: dict[str, Declaration] = {}
    elsewhere: set[str] = set()
    for document in documents:
        if not isinstance(document, PhoneNumber) or object_id_of(document) in own:
            continue
        spec, name = document.spec, object_id_of(document)
        if spec.purchase is None and spec.trunk_ref is not None:
            elsewhere.add(spec.number or "")
            continue
        rule = f"{document.metadata.namespace}/{spec.dispatch_rule_ref.name}" if spec.dispatch_rule_ref else ""
        wish = wish_of(spec.purchase) if spec.purchase is not None else None
        old = (document.metadata.annotations or {}).get(ANNOTATION, "")
        old = f"{document.metadata.namespace}/{old}" if old else ""
        retain = spec.deletion_policy == "Retain"
        own[name] = Declaration(name, spec.number or "", wish, rule, spec.direction, retain, old)
    return own, frozenset(elsewhere)


def stand(
    owner: str,
    documents: Iterable[Document],
    ledger: Ledger,
    held: Numbers | None,
    word: Word,
    rule_names: Mapping[str, str],
) -> Standing:
    """Look. `held` None: the server has no such numbers. `rule_names` lead from ids of rules to this owner's names.

    Raises ReconcileError for an adoption that cannot be.
    """
    declarations, elsewhere = declarations_of(documents)
    standing = Standing(owner, declarations, held, ledger, elsewhere)
    if held is None:
        if word.claims:
            raise ReconcileError(f"there is no {word.claims[0].id}: {_NO_SERVICE}", "leave out --adopt")
        for name, one in declarations.items():
            standing.limits[name] = _no_service(one)
        return standing
    for one in declarations.values():
        _rename(standing, one)
    for claim in word.claims:
        _adopt(standing, claim, word.take_over, held)
    for number in word.not_mine:
        _disown(standing, number)
    for one in declarations.values():
        limit = _settle(standing, one, held, rule_names)
        if limit is not None:
            standing.limits[one.name] = limit
    return standing


def _rename(standing: Standing, one: Declaration) -> None:
    """A number follows its document to another name: by the annotation, or because the document names it."""
    entry = standing.ledger.entries.get(one.number)
    if entry is None and one.renamed_from and standing.ledger.of(standing.owner, one.name) is None:
        entry = standing.ledger.of(standing.owner, one.renamed_from)
    if entry is None or entry.owner != standing.owner or entry.name in standing.declarations:
        return
    if entry.stage in ACTIVE and standing.ledger.of(standing.owner, one.name) is None:
        standing.ledger = standing.ledger.put(replace(entry, name=one.name))


def _no_service(one: Declaration) -> Limit:
    return Limit(
        _PURCHASE if one.wish else ("spec",), _NO_SERVICE, "name the trunk that a number arrives on with trunkRef"
    )


def _settle(standing: Standing, one: Declaration, held: Numbers, rule_names: Mapping[str, str]) -> Limit | None:
    """Find one document's number; what is in the way."""
    if one.direction == "outbound":
        return Limit(("spec", "direction"), "a LiveKit number can only be called", "write `direction: inbound`")
    limit = _settle_named(standing, one, held, rule_names) if one.number else _settle_wish(standing, one, held)
    entry = standing.ledger.of(standing.owner, one.name)
    if limit is None and entry is not None:
        if entry.retain != one.retain:
            standing.policies[one.name] = (entry.retain, one.retain)
        # What was asked for and is held was bought: should it go one day, it is not asked for again.
        is_bought = entry.stage is Stage.RELEASING or (entry.stage is Stage.ASKED and entry.number in held)
        stage = Stage.BOUGHT if is_bought else entry.stage
        standing.ledger = standing.ledger.put(replace(entry, retain=one.retain, stage=stage))
    return limit


def _settle_wish(standing: Standing, one: Declaration, held: Numbers) -> Limit | None:
    """A document that asks for a number, and does not name one yet."""
    assert one.wish is not None
    entry = standing.ledger.of(standing.owner, one.name) or standing.ledger.kept(standing.owner, one.name, one.wish)
    if entry is not None and _is_gone(entry, one, held):
        standing.ledger, entry = standing.ledger.without([entry.number]), None
    if entry is None:
        return _wanted_new(standing, one, one.wish, held)
    if entry.wish is not None and entry.wish != one.wish:
        what = f"its number is {entry.number}, {entry.wish}, and a number cannot change"
        return _invalid(what, "ask for another one in a document of another name")
    if entry.stage in (Stage.BOUGHT, Stage.KEPT) and entry.number not in held:
        return _vanished(entry.number)
    if entry.stage is Stage.KEPT:
        standing.ledger = standing.ledger.staged(entry.number, Stage.BOUGHT)
    return None


def _is_gone(entry: Entry, one: Declaration, held: Numbers) -> bool:
    """Whether an entry says nothing any more: given back, or chosen, and somebody else has it, or the wish changed."""
    if entry.stage is Stage.CHOSEN:
        return entry.number in held or entry.wish != one.wish
    return entry.stage is Stage.RELEASING and entry.number not in held


def _wanted_new(standing: Standing, one: Declaration, wish: Wish, held: Numbers) -> Limit | None:
    """A number is to be bought, unless one is there that may be it."""
    declared = standing.elsewhere | {other.number for other in standing.declarations.values()}
    known = declared | {entry.number for entry in standing.ledger.entries.values() if _is_elses(standing, entry)}
    strays = sorted(number for number, there in held.items() if number not in known and wish.may_be(there))
    if not strays:
        standing.due[one.name] = wish
        return None
    what = f"LiveKit holds {named(strays)}, which no document stands for and may be this one's, so none is bought"
    hint = f"take it with --adopt {strays[0]}={one.name}, or say that it is somebody else's with --not-mine {strays[0]}"
    return Limit(_PURCHASE, what, hint, Reason.NOT_ALLOWED, "number-not-adopted")


def _is_elses(standing: Standing, entry: Entry) -> bool:
    """Whether a number is accounted for: another owner's, somebody else's, or another document's."""
    if entry.owner != standing.owner:
        return True
    return entry.stage in ACTIVE and entry.name in standing.declarations


def _settle_named(standing: Standing, one: Declaration, held: Numbers, rule_names: Mapping[str, str]) -> Limit | None:
    """A document that names its number."""
    before = standing.ledger.of(standing.owner, one.name)
    if before is not None and before.number != one.number:
        if before.number in held:
            return _invalid(
                f"its number is {before.number}, and cannot change", "declare the other one by another name"
            )
        if before.stage is Stage.ASKED:
            what = f"whether {before.number} was bought for it is not known yet"
            return Limit(
                _NUMBER, what, f"apply without `number`, or with --not-mine {before.number}", Reason.NOT_ALLOWED
            )
        standing.ledger = standing.ledger.without([before.number])
    entry = standing.ledger.entries.get(one.number)
    if entry is None or entry.stage is Stage.FOREIGN:
        return _of_nobody(standing, one, held, rule_names)
    if entry.owner != standing.owner:
        what = f"{one.number} belongs to the owner {entry.owner}"
        return Limit(_NUMBER, what, _adoption(one, f" --take-over {entry.owner}"), Reason.CONFLICTED, "other-owner")
    if entry.stage in (Stage.BOUGHT, Stage.KEPT, Stage.RELEASING) and one.number not in held:
        return _vanished(one.number)
    if entry.name != one.name and entry.name in standing.declarations and entry.stage in ACTIVE:
        what = f"{one.number} is the number of {Kind.NUMBER} {entry.name}"
        return Limit(_NUMBER, what, "keep one of the two documents", Reason.CONFLICTED, "conflict")
    if entry.stage is Stage.KEPT:
        standing.ledger = standing.ledger.put(replace(entry, name=one.name, stage=Stage.BOUGHT))
    return None


def _of_nobody(standing: Standing, one: Declaration, held: Numbers, rule_names: Mapping[str, str]) -> Limit | None:
    """A number that the ledger does not know as anybody's: it may be as declared, but it is not changed."""
    there = held.get(one.number)
    if there is None:
        hint = "ask for one with `purchase`, or name the trunk that it arrives on with trunkRef"
        return Limit(_NUMBER, f"LiveKit holds no {one.number} for this project", hint, Reason.NOT_ALLOWED, "no-number")
    if [rule_names.get(rule, rule) for rule in there.rules] == ([one.rule] if one.rule else []):
        standing.settled.add(one.name)
        return None
    what = f"{one.number} was not bought from here, and is left as it is"
    return Limit(_NUMBER, what, _adoption(one), Reason.NOT_ALLOWED, "number-not-adopted")


def _adoption(one: Declaration, more: str = "") -> str:
    return f"to take it over: --adopt {one.number}={one.name}{more}"


def _invalid(what: str, hint: str) -> Limit:
    return Limit(_NUMBER, what, hint, Reason.INVALID, "immutable")


def _vanished(number: str) -> Limit:
    what = f"LiveKit no longer holds {number}; it is not bought again"
    hint = "delete this document; one of another name can ask for another number"
    return Limit(_NUMBER, what, hint, Reason.NOT_ALLOWED, "number-gone")


def _adopt(standing: Standing, claim: Claim, take_over: str, held: Numbers) -> None:
    """Make a number one declaration's, because the person says so."""
    one, entry = standing.declarations.get(claim.name), standing.ledger.entries.get(claim.id)
    if claim.id not in held:
        raise ReconcileError(f"there is no {claim.id} at LiveKit", "`lk phonenumber list` lists what there is")
    if one is None or one.number not in ("", claim.id):
        what = f"{claim.id} cannot become {Kind.NUMBER} {claim.name}"
        raise ReconcileError(what, f'declare it: a PhoneNumber without trunkRef, with `number: "{claim.id}"`')
    before = standing.ledger.of(standing.owner, claim.name)
    if before is not None and before.number != claim.id and before.stage is not Stage.CHOSEN:
        raise ReconcileError(f"{Kind.NUMBER} {claim.name} is {before.number} already", "leave out --adopt")
    was = _whose(standing, claim, entry, take_over)
    if before is not None and before.number != claim.id:
        standing.ledger = standing.ledger.without([before.number])
    if was:
        standing.adopted[claim.name] = was
    new = Entry(claim.id, standing.owner, claim.name, Stage.BOUGHT, one.wish, one.retain)
    standing.ledger = standing.ledger.put(new)


def _whose(standing: Standing, claim: Claim, entry: Entry | None, take_over: str) -> str:
    """Whose a number is so far, in words; "" = it is this declaration's already."""
    if entry is None or entry.stage is Stage.FOREIGN:
        return "nobody"
    if entry.owner != standing.owner:
        if entry.owner != take_over:
            what = f"{claim.id} belongs to the owner {entry.owner}"
            raise ReconcileError(what, f"to take it from there, add --take-over {entry.owner}")
        return f"the owner {entry.owner}"
    if entry.stage in ACTIVE and entry.name != claim.name and entry.name in standing.declarations:
        raise ReconcileError(f"{claim.id} is {Kind.NUMBER} {entry.name} already", "leave out --adopt")
    return "" if entry.name == claim.name and entry.stage is Stage.BOUGHT else "nobody"


def _disown(standing: Standing, number: str) -> None:
    """Take note that a number is somebody else's."""
    entry = standing.ledger.entries.get(number)
    if entry is not None and entry.stage in (Stage.BOUGHT, Stage.RELEASING):
        what = f"{number} is the number of {Kind.NUMBER} {entry.name} of the owner {entry.owner}"
        raise ReconcileError(what, "leave out --not-mine")
    standing.ledger = standing.ledger.put(Entry(number, "", "", Stage.FOREIGN))


def numbers_of(claims: Sequence[Claim]) -> Iterator[Claim]:
    """The claims of numbers among all."""
    return (claim for claim in claims if claim.id.startswith("+"))


def digest_with_numbers(digest: str, standing: Standing) -> str:
    """A digest of all that a server holds, LiveKit's own numbers among it where they are looked at."""
    if standing.is_empty:
        return digest
    held = sorted((standing.held or {}).values(), key=lambda one: one.number)
    told = [digest, *(f"{one.number} {one.status} {' '.join(one.rules)}" for one in held)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
