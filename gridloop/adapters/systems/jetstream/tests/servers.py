"""Real NATS servers on this machine: one, a cluster, and a town's leaf behind a line that can be cut."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from itertools import count
from pathlib import Path
from typing import Any

from gridloop.adapters.systems.jetstream.log import JetStreamLog
from gridloop.kernel.errors import Unavailable

SERVER = Path(sys.executable).parent / "nats-server"
_numbers = count()


def free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


class Servers:
    """NATS servers of one cluster, each its own process and folder. ``hub``: a port of a server of which this one is a leaf."""

    def __init__(self, size: int, domain: str = "", hub: int = 0) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gl-nats-"))
        self.ports, routes, self.leaf_ports = free_ports(size), free_ports(size), free_ports(size)
        of_domain = f", domain: {domain}" if domain else ""
        for number, (port, route) in enumerate(zip(self.ports, routes, strict=True)):
            others = ", ".join(f'"nats://127.0.0.1:{other}"' for other in routes)
            more = f'cluster {{ name: gl, listen: "127.0.0.1:{route}", routes: [{others}] }}\n' if size > 1 else ""
            if hub:
                more += f'leafnodes {{ reconnect: 1, remotes: [{{ url: "nats-leaf://127.0.0.1:{hub}" }}] }}\n'
            elif domain:
                more += f'leafnodes {{ listen: "127.0.0.1:{self.leaf_ports[number]}", no_advertise: true }}\n'
            (self.folder / f"{number}.conf").write_text(
                f'server_name: {domain}n{number}\nlisten: "127.0.0.1:{port}"\n{more}'
                f'jetstream {{ store_dir: "{self.folder}/{number}", sync_interval: always{of_domain} }}\n'
            )
        self.running = [self._start(number) for number in range(size)]

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        with (self.folder / f"{number}.log").open("ab") as out:
            return subprocess.Popen([SERVER, "-c", self.folder / f"{number}.conf"], stdout=out, stderr=out)

    def again(self, number: int) -> None:
        self.running[number] = self._start(number)

    def kill(self, number: int) -> None:
        self.running[number].send_signal(signal.SIGKILL)
        self.running[number].wait(10)

    @property
    def urls(self) -> list[str]:
        return [f"nats://127.0.0.1:{port}" for port in self.ports]

    def log(self, prefix: str = "", **more: Any) -> JetStreamLog:
        """An empty log of its own. Right after the start the servers have no leader yet."""
        prefix, end = prefix or f"t{next(_numbers)}", time.monotonic() + 30
        while True:
            try:
                return JetStreamLog(self.urls, prefix=prefix, **more)
            except Unavailable:
                if time.monotonic() > end:
                    raise
                time.sleep(0.3)

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


class Line:
    """A way to a port that can be cut."""

    def __init__(self, to: int) -> None:
        self._to, self._ends = to, list[socket.socket]()
        self._ear = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._ear.getsockname()[1])
        self.is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._ear.accept()
            except OSError:
                return
            try:
                if self.is_cut:
                    raise ConnectionError
                far = socket.create_connection(("127.0.0.1", self._to), 3)
            except OSError:
                near.close()
                continue
            self._ends += [near, far]
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, a: socket.socket, b: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
        for end in (a, b):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        self.is_cut = True
        ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def mend(self) -> None:
        self.is_cut = False

    def close(self) -> None:
        self.cut()
        self._ear.close()
