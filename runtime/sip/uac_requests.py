"""Our BYE and every other request of ours within a dialog (RFC 3261 sections 12.2.1 and 15.1.1)."""

from __future__ import annotations

from functools import partial

from runtime.sip.core import Core
from runtime.sip.dialog import TARGET_REFRESH, Dialog
from runtime.sip.events import RequestAnswered
from runtime.sip.incoming import IncomingResponse
from runtime.sip.legs import Leg
from runtime.sip.requests import Outgoing, Pairs, via_of
from runtime.sip.uac_auth import authorised
from runtime.sip.writer import write_message

WITH_CONTACT = TARGET_REFRESH | {"OPTIONS"}
"""Requests of ours that say where we are."""


class UacRequests:
    """The asking side of everything but INVITE, ACK and CANCEL."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def build(
        self,
        dialog: Dialog,
        method: str,
        cseq: int,
        *,
        headers: Pairs = (),
        body: bytes = b"",
        content_type: str = "",
    ) -> Outgoing:
        """A request of a dialog, with a new branch. ValueError for line breaks in any text."""
        path, branch = dialog.next_path(self._core.ways), self._core.new_branch()
        extra = [("Contact", self._core.contact(path, secure=dialog.secure))] if method in WITH_CONTACT else []
        if method in ("INVITE", "UPDATE"):
            extra.append(("Allow", self._core.allow))
            if self._core.config.supported:
                extra.append(("Supported", ", ".join(self._core.config.supported)))
        extra += [("User-Agent", self._core.config.user_agent), *headers]
        via = via_of(path, self._core.facing.host(path), branch)
        request = dialog.request(method, cseq, via=via, extra=extra, body=body, content_type=content_type)
        return Outgoing(request, write_message(request), branch, path)

    def leave(self, leg: Leg, now: float, headers: Pairs) -> None:
        """Hang up a call that is up, in whatever it is; with the BYE that was held if there is one."""
        self.bye(leg, now, headers)
        if not leg.is_leaving:
            self.send_bye(leg, now)

    def prack(self, leg: Leg, dialog: Dialog, rseq: int, invite_cseq: int, now: float) -> None:
        """Acknowledge a reliable provisional response (RFC 3262 section 4)."""
        cseq = dialog.next_cseq()
        outgoing = self.build(dialog, "PRACK", cseq, headers=(("RAck", f"{rseq} {invite_cseq} INVITE"),))
        self._start(leg, dialog, outgoing, cseq, now)

    def bye(self, leg: Leg, now: float, headers: Pairs) -> bool:
        """Hang up. Held until the ACK of our 2xx is here or given up (section 15); False where there is no dialog."""
        dialog = leg.dialog
        if dialog is None or leg.is_leaving or not leg.is_confirmed or leg.held_bye is not None:
            return False
        leg.held_bye = self.build(dialog, "BYE", dialog.next_cseq(), headers=headers)
        if not leg.unacked:
            self.send_bye(leg, now)
        return True

    def send_bye(self, leg: Leg, now: float) -> None:
        """Hang up at once, with the BYE that was held if there is one. The leg ends with the response, or without."""
        dialog = leg.dialog
        assert dialog is not None, "a confirmed leg has a dialog"
        assert not leg.is_leaving, "one BYE is enough"
        outgoing = leg.held_bye or self.build(dialog, "BYE", dialog.next_cseq())
        leg.is_leaving = True
        leg.held_bye = None
        self._core.stop_session(leg)
        self._core.terminate_open(leg, now)
        self._start_bye(leg, dialog, outgoing, now)

    def hang_up_fork(self, dialog: Dialog, now: float) -> None:
        """BYE for a dialog that no leg has: a second answer to one INVITE."""
        outgoing = self.build(dialog, "BYE", dialog.next_cseq())
        self._core.ask(outgoing, now, on_response=ignore_response, on_timeout=ignore_timeout)

    def request(self, leg: Leg, method: str, now: float, headers: Pairs, body: bytes, content_type: str) -> int:
        """INFO, UPDATE, OPTIONS, … within the dialog: its CSeq, 0 where there is no dialog."""
        assert method not in ("INVITE", "ACK", "CANCEL", "BYE"), "these have commands of their own"
        dialog = leg.dialog
        if dialog is None or not dialog.local_tag or leg.is_leaving or leg.held_bye is not None:
            return 0
        cseq = dialog.next_cseq()
        outgoing = self.build(dialog, method, cseq, headers=headers, body=body, content_type=content_type)
        self._start(leg, dialog, outgoing, cseq, now)
        return cseq

    def _start(self, leg: Leg, dialog: Dialog, outgoing: Outgoing, cseq: int, now: float) -> None:
        """`cseq` is that of the first try."""
        self._core.ask(
            outgoing,
            now,
            on_response=partial(self._answered, leg, dialog, outgoing, cseq),
            on_timeout=partial(self._timed_out, leg, outgoing.request.method, cseq),
        )

    def _start_bye(self, leg: Leg, dialog: Dialog, outgoing: Outgoing, now: float) -> None:
        self._core.ask(
            outgoing,
            now,
            on_response=partial(self._bye_answered, leg, dialog, outgoing),
            on_timeout=partial(self._left, leg),
        )

    def challenged(self, leg: Leg, dialog: Dialog, outgoing: Outgoing, incoming: IncomingResponse) -> Outgoing | None:
        """The same request with credentials, where the response is a challenge that may be answered."""
        again = authorised(self._core, leg, outgoing, incoming, dialog.local_cseq + 1)
        if again is not None:
            dialog.next_cseq()
        return again

    def _bye_answered(
        self, leg: Leg, dialog: Dialog, outgoing: Outgoing, incoming: IncomingResponse, now: float
    ) -> None:
        if incoming.status < 200:
            return
        again = self.challenged(leg, dialog, outgoing, incoming)
        if again is not None:
            self._start_bye(leg, dialog, again, now)
        else:
            self._left(leg, now)

    def _left(self, leg: Leg, now: float) -> None:
        if not leg.is_ended:
            self._core.end(leg, now)

    def _answered(
        self, leg: Leg, dialog: Dialog, outgoing: Outgoing, cseq: int, incoming: IncomingResponse, now: float
    ) -> None:
        if incoming.status < 200 or leg.is_ended:
            return
        again = self.challenged(leg, dialog, outgoing, incoming)
        if again is not None:
            self._start(leg, dialog, again, cseq, now)
            return
        method = outgoing.request.method
        if incoming.status < 300 and method in TARGET_REFRESH:
            dialog.refresh_target(incoming.response.headers)
        self._core.events.append(RequestAnswered(leg.handle, method, incoming.response, cseq))

    def _timed_out(self, leg: Leg, method: str, cseq: int, now: float) -> None:
        if not leg.is_ended:
            self._core.events.append(RequestAnswered(leg.handle, method, None, cseq))


def ignore_response(incoming: IncomingResponse, now: float) -> None:
    """For requests of which only the sending matters: the BYE of a fork, and CANCEL, whose INVITE says the rest."""


def ignore_timeout(now: float) -> None:
    """See `ignore_response`."""
