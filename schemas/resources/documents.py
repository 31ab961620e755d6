"""All kinds of document in one place: the union, and each kind's model by its name."""

from __future__ import annotations

from schemas.resources.dispatch_rule import DispatchRule
from schemas.resources.phone_number import PhoneNumber
from schemas.resources.routing_test import RoutingTest
from schemas.resources.trunk import Trunk

Document = Trunk | DispatchRule | PhoneNumber | RoutingTest

KINDS: dict[str, type[Trunk | DispatchRule | PhoneNumber | RoutingTest]] = {
    "Trunk": Trunk,
    "DispatchRule": DispatchRule,
    "PhoneNumber": PhoneNumber,
    "RoutingTest": RoutingTest,
}
"""The model of each kind, in the order in which lists of kinds are shown."""
