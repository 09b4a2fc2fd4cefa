"""Without pyspark there is nothing to collect: it is large, and ``make cluster`` installs it."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("pyspark") else ["test_*.py"]
