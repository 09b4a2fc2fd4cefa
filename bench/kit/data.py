"""Where the evaluation data lies, which is no part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

from kit.record import ROOT

DATA = Path(os.environ.get("GRIDLOOP_DATA", ROOT.parent / "shared" / "data"))
