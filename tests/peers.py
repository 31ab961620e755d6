"""Programs that tests talk to: our own bridge as a user starts it, SIPp, baresip and kamailio.

Every peer runs on loopback, on ports that were free a moment ago, and is gone when its `with` block ends.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from random import randrange
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SPEECH = ROOT / "runtime" / "phone" / "speech.wav"
KAMAILIO = ROOT / "tests" / "interop" / "kamailio"
JSSIP = ROOT / "tests" / "browser" / "node_modules" / "jssip"
"""`npm ci` puts it there, by the lock file beside it."""


def program(name: str) -> str | None:
    """Where a peer is; those that serve are where only root's PATH leads, and JsSIP is what a page is made of."""
    if name == "jssip":
        return str(JSSIP) if JSSIP.is_dir() else None
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin"
    names = ("chromium", "google-chrome") if name == "chromium" else (name,)
    return next((found for each in names if (found := shutil.which(each, path=path))), None)


_PORTS = range(20_100, 32_700)
"""Outside of what systems give to sockets that ask for any port, and of the bridge's own range for media."""


def _own_ports() -> Iterator[int]:
    """Even ports that no other worker of this run of the tests looks at, round and round from somewhere."""
    many = len(_PORTS) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = _PORTS[worker * many : (worker + 1) * many : 2]
    return islice(cycle(own), randrange(len(own)), None)


_ports = _own_ports()


def free_port(kind: int = socket.SOCK_DGRAM) -> int:
    """A port of loopback that nobody uses now, with an odd one behind it: nobody else is given it meanwhile."""
    return next(port for port in _ports if not is_taken(port, kind))


def free_ports(many: int) -> int:
    """The first of so many in a row: a phone takes the next ones for further calls, whoever else may have them."""
    while True:
        first = free_port()
        row = [next(_ports) for _ in range(2, many, 2)]
        if row == list(range(first + 2, first + many, 2)) and not any(is_taken(port) for port in row):
            return first


def free_sip_port(ports: int = 1) -> int:
    """The same by UDP and by TCP; so are those behind it, by TCP."""
    while True:
        port = free_port()
        if not any(is_taken(port + n, socket.SOCK_STREAM) for n in range(ports)):
            return port


def is_taken(port: int, kind: int = socket.SOCK_DGRAM) -> bool:
    """Whether somebody listens at this port of loopback."""
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def ended(process: subprocess.Popen[Any], number: signal.Signals, within_s: float) -> None:
    """End a process that still runs by a signal; one that does not end by it is killed."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


STEADY = 0.9
"""Tests share their machine, which takes some ticks from everybody; whoever stops a bridge takes more."""


def talk_share(record: Mapping[str, Any]) -> float:
    """What part of a call's time, from its record, the phone was sent frames of 20 ms."""
    return float(record["media"]["packetsSent"] * 0.02 / (record["endedAt"] - record["answeredAt"]))


def wait_for(what: Callable[[], Any], why: str, within_s: float = 40.0) -> Any:
    """The first true value of `what()`; AssertionError with `why` when none came in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"waited {within_s} s for {why}")


class BridgeProcess:
    """`bridge up DIR`, as a user starts it, with its state in a folder of the test."""

    def __init__(
        self, manifests: Path, work: Path, *options: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.manifests = manifests
        self.state = work / "state"
        self.port = free_sip_port()
        self.log_path = work / "bridge.log"
        self._log = self.log_path.open("w")
        command = [
            sys.executable, "-m", "runtime", "up", str(manifests), "--state", str(self.state),
            "--listen", f"udp://127.0.0.1:{self.port}", "--listen", f"tcp://127.0.0.1:{self.port}",
            "--api", "127.0.0.1:0", *options,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=self._log, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})}
        )

    def __enter__(self) -> BridgeProcess:
        try:
            wait_for(lambda: "bridge answers calls" in self.log(), f"the bridge to be ready; it said: {self.log()}")
        except AssertionError:
            self.stop()
            raise AssertionError(f"the bridge did not come up:\n{self.log()}") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
        if kind is not None:
            print(self.log())

    @property
    def target(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self.port}"

    def log(self) -> str:
        """Everything that it printed."""
        return self.log_path.read_text()

    def records(self) -> list[dict[str, Any]]:
        """The call records so far."""
        path = self.state / "records.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def calls(self) -> dict[str, Any]:
        """What `bridge calls -o json` says."""
        return self.command("calls", "-o", "json")

    def counters(self) -> dict[str, Any]:
        """The same, straight from the API: for tests that ask often."""
        return self._ask("/v1/calls", "GET")

    def steer(self, call_id: str, verb: str) -> dict[str, Any]:
        """`bridge hold`, `resume` or `pick-up` (here `answer`), likewise."""
        return self._ask(f"/v1/calls/{call_id}/{verb}", "POST")

    def _ask(self, path: str, method: str) -> dict[str, Any]:
        api = json.loads((self.state / "bridge.json").read_text())["api"]
        key = (self.state / "api.key").read_text().strip()
        request = urllib.request.Request(f"{api}{path}", headers={"Authorization": f"Bearer {key}"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return dict(json.loads(answer.read()))

    def command(self, *words: str) -> dict[str, Any]:
        """A `bridge` command on this bridge's state folder, its JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "runtime", *words, "--state", str(self.state)],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.stdout, done.stderr
        return dict(json.loads(done.stdout))

    def rss_kib(self) -> int:
        """Resident memory of the bridge process itself."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def stop(self) -> None:
        """Ctrl-C, and wait."""
        ended(self.process, signal.SIGINT, within_s=15)
        self._log.close()


def sipp_command(target: str, work: Path, *options: str) -> list[str]:
    """SIPp against `target`, as words of a command line."""
    return ["sipp", target, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", str(free_sip_port()), "-nostdin",
            "-max_socket", "5000", "-trace_err", "-error_file", str(work / "sipp-errors.log"), *options]  # fmt: skip


def sipp(target: str, work: Path, *options: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """SIPp against `target`; its exit code is 0 when every call went as its scenario says."""
    command = sipp_command(target, work, *options)
    return subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=timeout_s, check=False)


BARESIP_CONFIG = """\
module_path {modules}
{more}
module g711.so
module g722.so
module opus.so
module account.so
module aufile.so
module sndfile.so
module uuid.so
module menu.so
module ctrl_tcp.so
sip_listen 127.0.0.1:{port}
audio_source aufile,{play}
audio_player aufile,{player}
audio_channels {channels}
snd_path {work}
ctrl_tcp_listen 127.0.0.1:{control}
rtp_ports {rtp}
"""


class Baresip:
    """A baresip that says `play` (16-bit WAV of its codec's rate), records, and is driven over its TCP control port.

    `codec` as its accounts have it: pcmu, pcma, g722/16000/1 or opus/48000/2, whose file has to be stereo.

    `login` are parameters of its account, `more` lines of its configuration; `answers`: it picks up when it is called,
    at `port`, and by TLS at the next one. `modules`: from this folder.
    """

    def __init__(
        self,
        work: Path,
        user: str,
        play: Path,
        codec: str = "pcmu",
        login: str = "",
        more: str = "",
        *,
        answers: bool = False,
        modules: Path | None = None,
    ) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.work, self.control = work, free_port(socket.SOCK_STREAM)
        self.port = free_sip_port(2) if answers else 0  # it takes the next one too, for TLS
        login += ";answermode=auto" if answers else ""
        first = free_port() & ~1
        self.rtp_ports = f"{first}-{first + 7}"
        (work / "config").write_text(
            BARESIP_CONFIG.format(
                modules=modules or baresip_modules(), play=play, player=work / "player.wav", work=work,
                control=self.control, rtp=self.rtp_ports, port=self.port, more=more,
                channels=2 if codec.startswith("opus") else 1,
            )
        )  # fmt: skip
        (work / "accounts").write_text(f"<sip:{user}@127.0.0.1>;regint=0;audio_codecs={codec}{login}\n")
        self._log = (work / "baresip.log").open("w")
        self.process = subprocess.Popen(
            ["baresip", "-f", str(work), "-v"], stdin=subprocess.PIPE, stdout=self._log, stderr=subprocess.STDOUT
        )
        self._socket: socket.socket | None = None
        self._asked = 0

    def __enter__(self) -> Baresip:
        self._socket = wait_for(self._connect, f"baresip to be ready: {self.log()}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()
        ended(self.process, signal.SIGTERM, within_s=5)
        if self.process.stdin is not None:
            self.process.stdin.close()
        self._log.close()

    def do(self, command: str, params: str = "") -> None:
        """One command of baresip's menu, e.g. `dial`, `hangup`, `sndcode`."""
        assert self._socket is not None
        message = json.dumps({"command": command, "params": params, "token": "t"}).encode()
        self._socket.sendall(b"%d:%b," % (len(message), message))
        time.sleep(0.05)  # baresip drops a command that comes together with the one before it

    def ask(self, command: str) -> str:
        """The answer to a command that tells something, e.g. `audio_debug`."""
        assert self._socket is not None
        self._asked += 1
        token = f"asked-{self._asked}"
        message = json.dumps({"command": command, "params": "", "token": token}).encode()
        self._socket.sendall(b"%d:%b," % (len(message), message))
        while True:
            head = b""
            while not head.endswith(b":"):
                head += self._socket.recv(1)
            told = b""
            while len(told) < int(head[:-1]) + 1:
                told += self._socket.recv(int(head[:-1]) + 1 - len(told))
            found = json.loads(told[:-1])
            if found.get("token") == token:
                return str(found["data"])

    def log(self) -> str:
        """Everything that it printed."""
        return (self.work / "baresip.log").read_text(errors="replace")

    def heard(self) -> Path:
        """The WAV file of what it decoded from the call (module sndfile)."""
        found = sorted(self.work.glob("dump-*-dec.wav"))
        assert found, f"baresip recorded nothing: {self.log()[-2000:]}"
        return found[-1]

    def _connect(self) -> socket.socket | None:
        try:
            return socket.create_connection(("127.0.0.1", self.control), timeout=5)
        except OSError:
            return None


def baresip_modules() -> str:
    """Where its modules are."""
    for folder in ("/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"):
        if os.path.isdir(folder):
            return folder
    return "/usr/lib/baresip/modules"


@contextmanager
def lesson(name: str, work: Path) -> Iterator[Path]:
    """A copy of an example's manifests that a test may edit."""
    folder = work / "manifests"
    folder.mkdir()
    for file in (ROOT / "examples" / "manifests" / name).glob("*.yaml"):
        (folder / file.name).write_text(file.read_text())
    yield folder


@contextmanager
def bridge_with(rules: str, work: Path) -> Iterator[BridgeProcess]:
    """A bridge by these manifests."""
    folder = work / "manifests"
    folder.mkdir()
    (folder / "rules.yaml").write_text(rules)
    with BridgeProcess(folder, work) as bridge:
        yield bridge


class Kamailio:
    """A kamailio that runs `common.cfg` and one more file of `tests/interop/kamailio`; `@NAME@` are filled in."""

    def __init__(self, work: Path, config: str, *, port: int = 0, transport: str = "udp", **values: str) -> None:
        self.port = port or free_sip_port()
        texts = [(KAMAILIO / name).read_text() for name in ("common.cfg", f"{config}.cfg")]
        text = "\n".join(texts)
        if transport != "udp":
            more = f"disable_tcp=no\ntcp_children=1\nlisten={transport}:127.0.0.1:@PORT@"
            if transport == "tls":
                more += '\nenable_tls=yes\nloadmodule "tls.so"\nmodparam("tls", "private_key", "@KEY@")'
                more += '\nmodparam("tls", "certificate", "@CERTIFICATE@")\nmodparam("tls", "tls_method", "TLSv1.2+")'
            text = text.replace("disable_tcp=yes", more)
        for name, value in {**values, "PORT": str(self.port)}.items():
            text = text.replace(f"@{name}@", value)
        file, self._log_path = work / f"{config}.cfg", work / f"{config}.log"
        file.write_text(text)
        self._log = self._log_path.open("a")
        words = ["-f", str(file), "-DD", "-E", "-m", "32", "-M", "4", "-Y", str(work), "-w", str(work)]
        command = [program("kamailio") or "kamailio", *words]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)

    def __enter__(self) -> Kamailio:
        try:
            wait_for(self._is_up, f"kamailio to be ready; it said: {self.log()}")
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        ended(self.process, signal.SIGTERM, within_s=10)
        self._log.close()

    @property
    def target(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self.port}"

    def log(self) -> str:
        """Everything that it printed."""
        return self._log_path.read_text(errors="replace")

    def _is_up(self) -> bool:
        """Whether its port is taken: by then it reads from it."""
        assert self.process.poll() is None, f"kamailio ended: {self.log()}"
        return is_taken(self.port)


class Stunnel:
    """A stunnel that takes TCP at `port` and speaks TLS to a port of loopback."""

    def __init__(self, work: Path, tls_port: int) -> None:
        self.port = free_port(socket.SOCK_STREAM)
        config, self._log_path = work / "stunnel.conf", work / "stunnel.log"
        config.write_text(
            f"foreground = yes\npid =\n[sip]\nclient = yes\naccept = 127.0.0.1:{self.port}\n"
            f"connect = 127.0.0.1:{tls_port}\n"
        )
        self._log = self._log_path.open("w")
        command = [program("stunnel4") or "stunnel4", str(config)]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)

    def __enter__(self) -> Stunnel:
        def is_up() -> bool:
            assert self.process.poll() is None, f"stunnel ended: {self._log_path.read_text()}"
            return "Configuration successful" in self._log_path.read_text()

        wait_for(is_up, "stunnel to be ready")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)
        self._log.close()

    @property
    def target(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self.port}"
