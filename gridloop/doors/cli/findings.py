"""What a check of ``gridloop doctor`` finds: level, the part it is of, the sentence's key and what stands in it."""

from __future__ import annotations

from typing import Any

OK, WARN, BAD = "ok", "warn", "BAD"
Line = tuple[str, str, str, dict[str, Any]]
