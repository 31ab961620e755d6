"""A headless chromium, driven by its own DevTools protocol over a WebSocket: a page, and what it is told to do."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.peers import program, wait_for

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio",
    "--disable-dev-shm-usage", "--remote-debugging-port=0", "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--allow-loopback-in-peer-connection",
)  # fmt: skip
"""Nobody is asked for leave, a microphone is a file, and WebRTC may go by loopback: a machine may have nothing else."""

MESSAGE_BYTES_MAX = 16 << 20
ANSWER_S = 30


class PageError(AssertionError):
    """What a page threw."""


class Chromium:
    """One browser with one page at `url`. `says`: the WAV file that its microphone hears, once; `trusts`: keys of
    certificates (base64 of the SHA-256 of each) that it takes though nobody that it knows has signed them.
    """

    def __init__(self, url: str, says: Path | None = None, trusts: tuple[str, ...] = ()) -> None:
        self._url = url
        self._folder = Path(tempfile.mkdtemp(prefix="chromium-"))  # a path of its own: sockets' names are short
        self._log_path = self._folder / "log"
        self._log = self._log_path.open("w")
        more = [f"--user-data-dir={self._folder / 'profile'}"]
        more += [f"--use-file-for-fake-audio-capture={says}%noloop"] if says is not None else []
        more += [f"--ignore-certificate-errors-spki-list={','.join(trusts)}"] if trusts else []
        command = [program("chromium") or "chromium", *FLAGS, *more, url]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        self._numbers = itertools.count(1)
        self._open = ExitStack()
        self._socket: ClientConnection | None = None

    def __enter__(self) -> Chromium:
        try:
            port = wait_for(self._port, "chromium to be ready")
            target = wait_for(lambda: self._page(port), "its page")
            made = connect(target, max_size=MESSAGE_BYTES_MAX, compression=None)
            self._socket = self._open.enter_context(made)
            self._loaded()
        except AssertionError:
            print(self.log())
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def log(self) -> str:
        """What it printed."""
        return self._log_path.read_text(errors="replace")

    def run(self, script: str) -> Any:
        """What a JavaScript expression comes to in the page, once it does; a value that JSON has. PageError."""
        answer = self._ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            told = answer["exceptionDetails"]
            raise PageError(told.get("exception", {}).get("description") or told["text"])
        return answer["result"].get("value")

    def reload(self) -> None:
        """The page, as if nobody had been there."""
        self._ask("Page.reload")
        self._loaded()

    def _loaded(self) -> None:
        wanted = f"{self._url}complete"
        wait_for(lambda: self.run("location.href + document.readyState") == wanted, "the page")

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        assert self._socket is not None, "inside its `with` block"
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            told = json.loads(self._socket.recv(ANSWER_S))
            if told.get("id") == number:
                assert "result" in told, told
                return dict(told["result"])

    def _port(self) -> int:
        """Where it says that it is driven."""
        assert self._process.poll() is None, f"chromium ended: {self.log()}"
        try:
            return int((self._folder / "profile" / "DevToolsActivePort").read_text().split()[0])
        except (OSError, IndexError):
            return 0

    @staticmethod
    def _page(port: int) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=10) as answer:
            pages = [each for each in json.loads(answer.read()) if each["type"] == "page"]
        return str(pages[0]["webSocketDebuggerUrl"]) if pages else ""
