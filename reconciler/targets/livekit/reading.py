"""CORE. Objects of a LiveKit server -> rows: what is live there, in the words in which everything is planned.

A field that is unset there is its default; numbers and addresses have one form. A secret that LiveKit returns is sealed
at once, like one that was declared, so that the two can be compared and neither can be shown; where it returns none or
stars, the one that was applied last is believed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from livekit.protocol import sip

from reconciler.targets.livekit.hints import Hints
from reconciler.targets.livekit.holdings import Held, Holdings, Info, Part, names_by_id
from reconciler.targets.livekit.marker import METADATA_GAP, parted
from reconciler.targets.livekit.numbers import LIVE_SINCE, number_rows, own_numbers, pointing_at
from reconciler.targets.livekit.passing import real_numbers
from schemas.ids import normalise_number
from schemas.livekit_words import TRANSPORT_WORD, read_headers, read_media, read_room, read_room_choice
from schemas.seal import INBOUND_PASSWORD, OUTBOUND_PASSWORD, PIN, Place, Sealer
from schemas.tables.rows import Auth, Inbound, Kind, Media, NumberRow, Outbound, Rows, RuleRow, Secret, TrunkRow

EVERYWHERE = ("0.0.0.0/0", "::/0")
"""Every address there is."""
_KEPT_THERE = "at LiveKit"
"""The place of a secret that no document names."""
_RINGING_MS = Inbound().ringing_timeout_ms
_LASTING_MS = Inbound().max_call_duration_ms
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the objects of one owner with what is known of them from elsewhere."""

    holdings: Holdings
    hints: Hints
    recorded: Rows
    sealer: Sealer
    own: Sequence[NumberRow] = ()
    """LiveKit's own numbers that are this owner's."""

    def rows(self) -> Rows:
        """The rows that are live."""
        trunks = {name: self._trunk(name) for name in self.holdings.of(Kind.TRUNK)}
        numbers = number_rows(self.holdings, self.hints, self.recorded, self.own)
        trunk_names = names_by_id(self.holdings.inbound_ids())
        # A number of LiveKit's own stands in its rule's list before it is bought, and is not the rule's own.
        coming = (row for row in self.hints.numbers.values() if not row.trunk)
        pointing = pointing_at([*numbers.values(), *coming])
        rules = {name: self._rule(name, trunk_names, pointing.get(name, ())) for name in self.holdings.of(Kind.RULE)}
        return Rows(trunks, rules, numbers)

    def _trunk(self, name: str) -> TrunkRow:
        taking, placing = self.holdings.mine.get((Part.INBOUND, name)), self.holdings.mine.get((Part.OUTBOUND, name))
        infos = [held.info for held in (taking, placing) if held is not None]
        hint = self.hints.trunks.get(name)
        medias = [_media(info, hint.media if hint else None) for info in infos]
        texts = [parted(info.metadata, METADATA_GAP)[0] for info in infos]
        return TrunkRow(
            id=name,
            inbound=self._inbound(name, taking) if taking is not None else None,
            outbound=self._outbound(name, placing) if placing is not None else None,
            # Both halves hold these; where they differ, the one that is not as declared is to be seen.
            media=_unlike(medias, hint.media if hint else None),
            refer_to=hint.refer_to if hint else "asGiven",  # nothing there can differ from what is declared
            refer_notify=hint.refer_notify if hint else True,  # likewise
            metadata=_unlike(texts, hint.metadata if hint else None),
            claimed_since=LIVE_SINCE,
        )

    def _inbound(self, name: str, held: Held) -> Inbound:
        info = held.info
        assert isinstance(info, sip.SIPInboundTrunkInfo)
        hint, last = self.hints.trunks.get(name), self.recorded.trunks.get(name)
        half, before = hint.inbound if hint else None, last.inbound if last else None
        place = Place(Kind.TRUNK, name, INBOUND_PASSWORD)
        return Inbound(
            networks=_networks(info, half),
            allowed_numbers=tuple(normalise_number(number) for number in info.allowed_numbers),
            called_declared_only=bool(real_numbers(info.numbers)),
            auth=self._auth(info, info.auth_realm, place, half.auth if half else None, before.auth if before else None),
            headers=read_headers(info),
            ringing_timeout_ms=_milliseconds(info.ringing_timeout, _RINGING_MS),
            max_call_duration_ms=_milliseconds(info.max_call_duration, _LASTING_MS),
            noise_cancellation=info.krisp_enabled,
        )

    def _outbound(self, name: str, held: Held) -> Outbound:
        info = held.info
        assert isinstance(info, sip.SIPOutboundTrunkInfo)
        hint, last = self.hints.trunks.get(name), self.recorded.trunks.get(name)
        half, before = hint.outbound if hint else None, last.outbound if last else None
        place = Place(Kind.TRUNK, name, OUTBOUND_PASSWORD)
        return Outbound(
            addresses=(info.address,),
            transport=TRANSPORT_WORD.get(info.transport, str(info.transport)),
            from_host=info.from_host,
            auth=self._auth(info, "", place, half.auth if half else None, before.auth if before else None),
            headers=read_headers(info),
            destination_country=info.destination_country,
            caller_form=half.caller_form if half else "asGiven",  # nor here, see refer_to
        )

    def _rule(self, name: str, trunk_names: Mapping[str, str], pointing: Collection[str]) -> RuleRow:
        held = self.holdings.mine[Part.RULE, name]
        info, hint = held.info, self.hints.rules.get(name)
        assert isinstance(info, sip.SIPDispatchRuleInfo)
        kind, room_name, randomize, pin = read_room_choice(info)
        last = self.recorded.rules.get(name)
        declared_pin, last_pin = hint.pin if hint else None, last.pin if last else None
        return RuleRow(
            id=name,
            kind=kind,
            room_name=room_name,
            randomize=randomize,
            trunks=tuple(trunk_names.get(id_, id_) for id_ in info.trunk_ids) or None,
            to=own_numbers(info.numbers, hint, pointing),
            from_=tuple(normalise_number(number) for number in info.inbound_numbers),
            pin=self._secret(Place(Kind.RULE, name, PIN), pin, declared_pin, last_pin) if pin else None,
            room=read_room(info),
            attributes=tuple(sorted(info.attributes.items())),
            metadata=info.metadata,
            hide_phone_number=info.hide_phone_number,
            noise_cancellation=info.krisp_enabled,
            media=_media(info, hint.media if hint else None),
            claimed_since=LIVE_SINCE,
        )

    def _auth(
        self,
        info: sip.SIPInboundTrunkInfo | sip.SIPOutboundTrunkInfo,
        realm: str,
        place: Place,
        hint: Auth | None,
        last: Auth | None,
    ) -> Auth | None:
        if not (info.auth_username or info.auth_password or realm):
            return None
        before = last.password if last is not None and last.username == info.auth_username else None
        password = self._secret(place, info.auth_password, hint.password if hint else None, before)
        return Auth(info.auth_username, password, realm)

    def _secret(self, place: Place, clear: str, hint: Secret | None, last: Secret | None) -> Secret:
        """A secret of the server, under the name of the place that its document names."""
        key = hint.key if hint is not None else last.key if last is not None else _KEPT_THERE
        if not clear.strip("*"):
            return Secret(key, last.sealed if last is not None else b"")
        return Secret(key, self.sealer.seal(place, clear.encode()))


def _media(info: Info, hint: Media | None) -> Media:
    """An object's media. A room's codec that is `auto` is the only one that LiveKit has, said or not."""
    media = read_media(info)
    return replace(media, room_codec="auto") if hint is not None and hint.room_codec == "auto" else media


def _unlike(values: Sequence[T], hint: T | None) -> T:
    """The value that is not as hinted, if there is one."""
    return next((value for value in values if value != hint), values[0])


def _milliseconds(duration: Duration, unset: int) -> int:
    return duration.ToMilliseconds() or unset


def _networks(info: sip.SIPInboundTrunkInfo, hint: Inbound | None) -> tuple[str, ...]:
    """Where calls may come from. LiveKit takes none for all, which a manifest says in so many words."""
    if is_open(info):
        return hint.networks if hint is not None and sorted(hint.networks) == sorted(EVERYWHERE) else EVERYWHERE
    return tuple(network_form(address) for address in info.allowed_addresses)


def is_open(info: sip.SIPInboundTrunkInfo) -> bool:
    """Whether a trunk that asks for no password and names no address is there because it has numbers."""
    return not (info.allowed_addresses or info.auth_username or info.auth_password or info.auth_realm) and bool(
        info.numbers
    )


def network_form(address: str) -> str:
    """An address in the form of rows; one that is a host's name stays as it is."""
    return str(ipaddress.ip_network(address)) if is_network(address) else address


def is_network(text: str) -> bool:
    """Whether it is an address or network that a row can hold."""
    try:
        return "%" not in str(ipaddress.ip_network(text))
    except ValueError:
        return False
