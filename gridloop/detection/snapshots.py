"""Arrays as bytes and back: NumPy's own archive with checksums, never pickled objects."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = 1

Arrays = dict[str, NDArray[Any]]


def packed(arrays: Arrays) -> bytes:
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **{"format": np.array(FORMAT), **{name.replace("/", "|"): array for name, array in arrays.items()}})
    return out.getvalue()


def unpacked(data: bytes) -> Arrays:
    """ValueError for what is no snapshot, is damaged, or of a later format."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name.replace("|", "/"): archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"the snapshot cannot be read: {error}") from error
    number = int(arrays.pop("format", np.array(0)))
    if number != FORMAT:
        raise ValueError(f"the snapshot has format {number}; this program reads {FORMAT}")
    return arrays
