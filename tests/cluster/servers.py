"""A real Spark master with workers of one core each on this machine: for the tests, and for ``bench/archive.py``."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pyspark

from gridloop.doors.cli.deployment import free_port
from tests.signals.servers import wait_for_port

HOME = Path(pyspark.__file__).parent
PATIENCE = 240  # seconds for virtual machines to start on a crowded machine


class Master:
    def __init__(self, folder: Path, workers: int = 2, memory: str = "1g") -> None:
        """Returns when all workers have come."""
        self.folder, self.port = folder, free_port()
        self.url = f"spark://127.0.0.1:{self.port}"
        self.running = [self._start("master.Master", "--host", "127.0.0.1", "--port", str(self.port))]
        try:
            wait_for_port(self.port, PATIENCE)
            one = ("worker.Worker", "--cores", "1", "--memory", memory, "--host", "127.0.0.1", self.url)
            self.running += [self._start(*one) for _ in range(workers)]
            end = time.monotonic() + PATIENCE
            while (folder / "master.Master.log").read_text(errors="replace").count("Registering worker") < workers:
                if time.monotonic() > end:
                    raise TimeoutError(f"{workers} workers")
                time.sleep(0.3)
        except BaseException:
            self.stop()
            raise

    def _start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [HOME / "bin" / "spark-class", f"org.apache.spark.deploy.{name}", *arguments, "--webui-port", "0"]
        environment = os.environ | {"SPARK_HOME": str(HOME), "SPARK_WORKER_DIR": str(self.folder)}
        with (self.folder / f"{name}.log").open("ab") as out:
            return subprocess.Popen(command, stdout=out, stderr=out, env=environment, cwd=self.folder)

    def stop(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(30)
