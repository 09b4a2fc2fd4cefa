"""One form of writing for texts people send: what is compared and learned must not depend on whose keyboard wrote it."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

_GAP = re.compile(r"\s+")


@cache
def _simplifier() -> Any:
    from opencc import OpenCC  # 10 ms: only who reads words pays it

    return OpenCC("t2s")


def clean(text: str, most: int = 400) -> str:
    """Compatibility characters folded, traditional to simplified, lower case, single spaces, no line ends; ``most`` characters of it."""
    folded = unicodedata.normalize("NFKC", text[: most * 2])
    return _GAP.sub(" ", str(_simplifier().convert(folded))).strip().lower()[:most]
