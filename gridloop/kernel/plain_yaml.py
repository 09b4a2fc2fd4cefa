"""YAML that ships with the program, read by libyaml where the wheel has it: a tenth of the time, and each process reads at its start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(path: Path) -> Any:
    """The file's content as plain lists and dictionaries. yaml.YAMLError where it is none."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # both loaders are the safe ones
