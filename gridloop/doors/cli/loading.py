"""How a start loads its modules."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Without the collector of cycles, which else looks through everything again and again while it comes: a tenth of a start.

    What is loaded stays, so the collector need not look through it later either.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
