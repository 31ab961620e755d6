"""How a transfer names a number to its carrier: the trunk's `referTo`, which its provider may have set.

Some carriers dial a number only as `tel:`, others only as `sip:` at the trunk's own host. Nothing but a number is
written anew, and no other number comes of it: what was guarded is what is sent.
"""

from __future__ import annotations

from runtime.routing.place import destinations_of
from runtime.sip.grammar import write_host_port
from runtime.sip.uri import TelUri, Uri, parse_uri
from schemas.ids import is_e164
from schemas.tables.rows import TrunkRow


def refer_to(trunk: TrunkRow, asked: str) -> str:
    """The value of Refer-To for `asked`, which is `<sip:…>` or `tel:…`."""
    hosts = [place.host for place in destinations_of(trunk.outbound)] if trunk.outbound is not None else []
    if trunk.refer_to == "asGiven" or not hosts:
        return asked
    uri = parse_uri(asked.removeprefix("<").removesuffix(">"))
    if trunk.refer_to == "sip" and isinstance(uri, TelUri) and not uri.params and is_e164(uri.user):
        return f"<sip:{uri.user}@{write_host_port(hosts[0], None)}>"
    if trunk.refer_to == "tel" and isinstance(uri, Uri) and _is_number_at(uri, hosts):
        return f"tel:{uri.user}"
    return asked


def _is_number_at(uri: Uri, hosts: list[str]) -> bool:
    """Whether it is a bare number at the trunk itself: one at another host is somebody else's to call."""
    plain = uri.password is None and not uri.params and not uri.headers
    return plain and is_e164(uri.user or "") and uri.host.lower() in {host.lower() for host in hosts}
