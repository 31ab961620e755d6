"""A request of ours that was challenged, made again with credentials (RFC 3261 sections 8.1.3.5 and 22).

Only a leg that we have begun with a login answers at all, and only for requests that went to the address and port that
the call was sent to: a peer that calls us, or that moves the dialog elsewhere, gets no answer to work on (the digest
leak, CVE-2021-41158).
"""

from __future__ import annotations

from dataclasses import replace

from runtime.sip.auth.client import Authorizer
from runtime.sip.auth.limits import CLIENT_TRIES_MAX
from runtime.sip.core import Core
from runtime.sip.incoming import IncomingResponse
from runtime.sip.legs import Leg
from runtime.sip.requests import Outgoing, Pairs, via_of
from runtime.sip.writer import write_message


def authorised(core: Core, leg: Leg, outgoing: Outgoing, incoming: IncomingResponse, cseq: int) -> Outgoing | None:
    """The request to send, as number `cseq`, in place of `outgoing`; None: the response to that one stands."""
    if leg.authorizer is None or leg.is_ended or outgoing.path.remote != leg.path.remote:
        return None
    return with_credentials(core, leg.authorizer, outgoing, incoming, cseq)


def with_credentials(
    core: Core, authorizer: Authorizer, outgoing: Outgoing, incoming: IncomingResponse, cseq: int
) -> Outgoing | None:
    """The same for a request of somebody who may answer challenges of where it was sent."""
    if outgoing.challenges_answered >= CLIENT_TRIES_MAX:
        return None
    request = outgoing.request
    credentials = authorizer.answer(request, incoming.response)
    if credentials is None:
        return None
    again = again_with(core, outgoing, (credentials,), cseq)
    return replace(again, challenges_answered=outgoing.challenges_answered + 1)


def again_with(core: Core, outgoing: Outgoing, changes: Pairs, cseq: int) -> Outgoing:
    """The same request once more, as number `cseq` and with these headers in place of its own."""
    request, branch = outgoing.request, core.new_branch()
    headers = request.headers.replaced("Via", via_of(outgoing.path, core.facing.host(outgoing.path), branch)).replaced(
        "CSeq", f"{cseq} {request.method}"
    )
    for name, value in changes:
        headers = headers.replaced(name, value)
    again = replace(request, headers=headers)
    return replace(outgoing, request=again, data=write_message(again), branch=branch)
