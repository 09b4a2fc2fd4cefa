"""Where the processes of a deployment keep their figures: chosen before the metrics library is imported, which looks only then."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path


def use_folder(run: Path) -> None:
    """Before the library's first import: this process keeps its figures in a folder that all of the deployment share."""
    folder = run / "metrics" / socket.gethostname()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def clear(run: Path) -> None:
    """Figures of processes of an earlier start on this host."""
    shutil.rmtree(run / "metrics" / socket.gethostname(), ignore_errors=True)
