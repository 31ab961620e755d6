"""linphonec, a SIP phone that we did not write: driven by its standard input, without a sound card."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

from tests.peers import free_ports, free_sip_port, wait_for

CONFIG = """\
[sip]
use_ipv6=0
bind_address=127.0.0.1
sip_port={port}
sip_tcp_port={port}
sip_tls_port={tls}
contact="{user}" <sip:{user}@127.0.0.1>
root_ca={authority}
verify_server_certs={verifies}
verify_server_cn={verifies}
register_only_when_network_is_up=0
guess_hostname=0
100rel_support_level={reliable}
session_expires_enabled=1
session_expires_value=90
session_expires_min_value=90
session_expires_refresher_value=1
{media}
default_proxy={account}
[rtp]
bind_address=127.0.0.1
audio_rtp_port={rtp}
[video]
capture=0
display=0
automatically_initiate=0
{login}
"""

ACCOUNT = """\
[proxy_0]
reg_proxy=<sip:{route}>
reg_route=<sip:{route};lr>
reg_identity="{user}" <sip:{user}@127.0.0.1>
reg_sendregister=0
"""

LOGIN = """\
[auth_info_0]
username={caller}
userid={user}
passwd={password}
realm={realm}
algorithm=MD5
"""


class Linphone:
    """A linphonec with G.711 and a session timer of 90 s; `reliable` is its 100rel: 0 no, 1 supported, 2 demanded.

    `authority` is whom it trusts for TLS. `login` is user, password and realm of challenges that it answers. Whatever
    it calls it calls by way of `route` (host, port and transport), where there is one. `media` are lines of its
    configuration about encryption.
    """

    def __init__(
        self,
        work: Path,
        user: str,
        authority: Path | None = None,
        *,
        reliable: int = 1,
        login: tuple[str, str, str] | None = None,
        answers: bool = False,
        route: str = "",
        media: str = "",
    ) -> None:
        for folder in (".local/share/linphone", ".config/linphone"):
            (work / folder).mkdir(parents=True)
        self.port, self.tls_port, self._log_path = free_sip_port(), free_sip_port(), work / "log"
        (work / "rc").write_text(
            CONFIG.format(
                port=self.port, tls=self.tls_port, user=user, authority=authority or "", verifies=int(bool(authority)),
                reliable=reliable, media=media, account=0 if route else -1, rtp=free_ports(8),
                login=(ACCOUNT.format(route=route, user=user) if route else "")
                + (LOGIN.format(caller=user, user=login[0], password=login[1], realm=login[2]) if login else ""),
            )
        )  # fmt: skip
        command = ["linphonec", "-c", str(work / "rc"), "-d", "6", "-l", str(self._log_path)]
        self._out = (work / "out").open("w")
        self.process = subprocess.Popen(
            [*command, *(["-a"] if answers else [])], cwd=work, env={**os.environ, "HOME": str(work)},
            stdin=subprocess.PIPE, stdout=self._out, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def __enter__(self) -> Linphone:
        wait_for(lambda: "linphonec> " in self.says(), "linphonec to be ready")
        self.do("soundcard use files")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        self._out.close()

    def do(self, words: str) -> None:
        """One command of its shell."""
        assert self.process.stdin is not None
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def says(self) -> str:
        """What its shell has printed."""
        return Path(self._out.name).read_text(errors="replace")

    def log(self) -> str:
        """Everything that it noted down, each SIP message among it."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def has(self, *lines: str) -> bool:
        """Whether a SIP message that it sent or received has all of these texts."""
        messages = re.split(r"bytes (?:sent|parsed|received)", self.log())
        return any(all(line in message for line in lines) for message in messages)

    def settles(self, state: str, times: int = 1) -> None:
        """Wait until its call has come to this state (`LinphoneCallStreamsRunning`, `…Paused`, …) so often."""
        wait_for(lambda: self.log().count(f" to {state}") >= times, f"linphone's call to be {state}")
        time.sleep(0.1)  # it takes its next command from then on

    def talks_to(self, other: Linphone) -> bool:
        """Whether it is in a call whose media come from the other one."""
        self.do("calls")
        wait_for(lambda: "StreamsRunning" in self.says().rpartition("Call states")[2], "the two to talk")
        return f"127.0.0.1:{other.port}" in self.says().rpartition("Call states")[2]
