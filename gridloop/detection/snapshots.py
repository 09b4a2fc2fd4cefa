"""Arrays as bytes and back: NumPy's own archive with checksums, never pickled objects. Written and read array by array."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

FORMAT = 1

Arrays = dict[str, NDArray[Any]]
_BROKEN = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile)


class Sink(Protocol):
    """What can be written to; it need not be able to seek."""

    def write(self, data: Any, /) -> Any: ...
    def flush(self) -> Any: ...


def write(arrays: Mapping[str, NDArray[Any]], file: Any) -> None:
    """As ``numpy.savez``, which wants a file that can be read and sought in; ``file``: a ``Sink``."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in {"format": np.array(FORMAT), **arrays}.items():
            with archive.open(f"{name.replace('/', '|')}.npy", "w", force_zip64=True) as out:
                np.lib.format.write_array(out, array, allow_pickle=False)


def packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    out = io.BytesIO()
    write(arrays, out)
    return out.getvalue()


class Stored(Mapping[str, NDArray[Any]]):
    """An archive whose arrays are read when they are asked for, each time anew. ValueError for what is damaged."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            self._archive = np.load(file, allow_pickle=False)
            self._names = {name.replace("|", "/"): name for name in self._archive.files}
        except (*_BROKEN, AttributeError) as error:
            raise _unreadable(error) from error
        number = int(self._read("format")) if self._names.pop("format", "") else 0
        if number != FORMAT:
            raise ValueError(f"the snapshot has format {number}; this program reads {FORMAT}")

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._read(self._names[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _read(self, name: str) -> NDArray[Any]:
        try:
            array: NDArray[Any] = self._archive[name]
        except _BROKEN as error:
            raise _unreadable(error) from error
        return array


def unpacked(data: bytes) -> Arrays:
    """ValueError for what is no snapshot, is damaged, or of a later format."""
    return dict(Stored(io.BytesIO(data)))


def _unreadable(error: Exception) -> ValueError:
    return ValueError(f"the snapshot cannot be read: {error}")
