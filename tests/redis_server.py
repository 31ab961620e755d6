"""Real Redis servers that tests start, kill, hold up and lose data of; on loopback, gone with their `with` block."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from pathlib import Path

from tests.peers import free_port, program, wait_for

SOCKETS_AT_ONCE = 16


class RedisServer:
    """A redis-server in a folder of its own; `options` are words of its command line, like `--maxmemory 10mb`."""

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.options = folder, list(options)
        self.port = port or free_port(socket.SOCK_STREAM)
        self.log_path = folder / "redis.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def url(self, prefix: str = "") -> str:
        """The tables in it."""
        return f"redis://127.0.0.1:{self.port}/0" + (f"?prefix={prefix}" if prefix else "")

    def start(self) -> None:
        """Start it, with what it has kept on its disk; without options it keeps nothing."""
        words = [program("redis-server") or "redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        words += ["--dir", str(self.folder), "--save", "", "--enable-debug-command", "yes", *self.options]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log)
        wait_for(lambda: self.asked("PING") in (b"+PONG", b"-NOAUTH"), f"redis-server: {self.log_path.read_text()}")

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self, *, empty: bool = False) -> None:
        """Kill it, and start it again; `empty`: its disk is lost."""
        self.kill()
        if empty:
            for name in self.folder.iterdir():
                if name != self.log_path:
                    shutil.rmtree(name) if name.is_dir() else name.unlink()
        self.start()

    def asked(self, *words: str) -> bytes:
        """The first word of what it answers, b"" where it does not."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as wire:
                wire.sendall(
                    b"".join([b"*%d\r\n" % len(words), *(b"$%d\r\n%b\r\n" % (len(w), w.encode()) for w in words)])
                )
                return wire.recv(4096).split(b"\r\n")[0].split(b" ")[0]
        except OSError:
            return b""


class Proxy:
    """A TCP proxy to a port of loopback, which can stop to pass anything on, pass it on late, or lead elsewhere."""

    def __init__(self, port: int) -> None:
        self.to, self.delay_s = port, 0.0
        self._open = threading.Event()
        self._open.set()
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=SOCKETS_AT_ONCE)
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._open.set()
        self._listener.close()
        for one in self._sockets[1:]:
            _cut(one)

    def stop(self) -> None:
        """Pass nothing on, and keep every connection: as a network does that has broken in the middle."""
        self._open.clear()

    def go_on(self) -> None:
        """Pass on what has come meanwhile, and what comes."""
        self._open.set()

    def turn_to(self, port: int) -> None:
        """Lead to another server from now on; all connections are cut."""
        self.to = port
        for one in self._sockets[1:]:
            _cut(one)
        del self._sockets[1:]

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                near = self._listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.to), timeout=5)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            self._sockets += [near, far]
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                self._open.wait()
                if self.delay_s:
                    self._closing.wait(self.delay_s)
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            _cut(one)


def _cut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
