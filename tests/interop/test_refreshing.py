"""Sessions that are refreshed while they last, ours and theirs, by every transport: one test, which takes 45 s once.

RFC 4028 has no shorter session than 90 s, and half of it goes by before a refresh. So all calls wait at the same time:
three of linphone's, and six of ours to SIPp behind a proxy that records its route, with and without UPDATE.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.test_dialling import THEIRS, ended_well, sipp_phone
from tests.interop.test_front import OTHER, Front
from tests.interop.test_linphone import LOBBY, ONE, Listening
from tests.linphone import Linphone
from tests.peers import wait_for

TRANSPORTS = ("udp", "tcp", "tls")
REFRESHED_WITHIN_S = 70.0


@pytest.mark.peer("sipp", "kamailio", "linphonec")
@pytest.mark.xdist_group("refreshing")
def test_calls_of_either_side_are_refreshed_in_time(tmp_path: Path) -> None:
    with ExitStack() as stack:
        (tmp_path / "here").mkdir()
        here = stack.enter_context(Listening(tmp_path / "here"))
        phones, callers = [], []
        for transport in TRANSPORTS:
            caller = stack.enter_context(Linphone(tmp_path / transport, f"{ONE}{transport}", here.authority.file))
            caller.do(f"call sip:{LOBBY}@{here.at(transport)}")
            callers.append(caller)
            (tmp_path / f"front-{transport}").mkdir()
            front = Front(tmp_path / f"front-{transport}", transport)
            stack.enter_context(front.proxy)
            stack.enter_context(front)
            for scenario, number, port in (
                ("uas-refreshed", THEIRS, front.phone), ("uas-reinvited", OTHER, front.second),
            ):  # fmt: skip
                work = tmp_path / f"front-{transport}" / scenario
                work.mkdir()
                _, phone = stack.enter_context(sipp_phone(scenario, work, port=port))
                front.dial(sip_call_to=number, room_name=scenario, wait_until_answered=True)
                phones.append((phone, work))
        wait_for(lambda: len(here.active()) == len(TRANSPORTS), "linphone's calls")
        for caller in callers:
            wait_for(
                lambda caller=caller: (
                    caller.has("UPDATE sip:", "Session-Expires: 90")
                    or caller.has("CSeq: 21 INVITE", "Session-Expires: 90")
                ),
                "linphone's session to be refreshed",
                REFRESHED_WITHIN_S,
            )
        for phone, work in phones:
            errors = work / "sipp-errors.log"
            assert ended_well(phone), errors.read_text() if errors.exists() else work.name
        assert len(here.active()) == len(TRANSPORTS), "their calls go on"
