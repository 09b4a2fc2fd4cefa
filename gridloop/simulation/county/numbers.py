"""Numbers with check digits. All begin with prefixes nobody is given: region 9901, phone 100, plate 浙Y."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridloop.simulation.county.frame import Ints

_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECK: Final = "10X98765432"
_USCC: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORG: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORG_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
_PLATE: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"


def citizen_check(first17: str) -> str:
    """Check character of GB 11643 (ISO 7064 MOD 11-2)."""
    return _ID_CHECK[sum(w * int(c) for w, c in zip(_ID_WEIGHTS, first17, strict=True)) % 11]


def citizen_ids(region: str, born: NDArray[np.datetime64], man: Ints) -> list[str]:
    """18 digits each: region, birth day, serial (odd for men), check digit; the serial counts within a day and sex.

    Raises ValueError when a day has more births of one sex than serials (499).
    """
    day = born.astype("datetime64[D]").astype(np.int64)
    key = day * 2 + man
    order = np.argsort(key, kind="stable")
    rank = np.empty(len(key), dtype=np.int64)
    rank[order] = np.arange(len(key)) - np.searchsorted(key[order], key[order])
    serial = rank * 2 + man + 2 * (man == 0)
    if len(serial) and serial.max() > 999:
        raise ValueError("more than 499 births of one sex on one day")
    texts = np.char.replace(born.astype("datetime64[D]").astype(str), "-", "").tolist()
    first = [f"{region}{text}{number:03d}" for text, number in zip(texts, serial.tolist(), strict=True)]
    digits = np.frombuffer("".join(first).encode(), dtype=np.uint8).reshape(-1, 17).astype(np.int64) - 48
    check = (digits @ np.array(_ID_WEIGHTS)) % 11 if len(first) else np.zeros(0, dtype=np.int64)
    return [f"{text}{_ID_CHECK[c]}" for text, c in zip(first, check.tolist(), strict=True)]


def phone_numbers(count: int, block: int) -> list[str]:
    """Distinct 11-digit numbers that begin with 100, which no operator has; ``block`` 0–9 keeps groups apart."""
    spread = (np.arange(count, dtype=np.int64) * 7_654_321 + 1_234_567) % 10_000_000
    return [f"100{block}{number:07d}" for number in spread.tolist()]


def organisation_code(first8: str) -> str:
    """The 9 characters of GB 11714."""
    total = sum(w * _ORG.index(c) for w, c in zip(_ORG_WEIGHTS, first8, strict=True))
    return first8 + "0123456789X0"[11 - total % 11]


def uscc(kind: str, region: str, serial: int) -> str:
    """Unified social credit code of GB 32100: ``kind`` is two characters, such as 91 (company) or 92 (one-person business)."""
    body = ""
    for _ in range(6):
        serial, at = divmod(serial, 31)
        body = _USCC[at] + body
    first = f"{kind}{region}{organisation_code('MA' + body)}"
    total = sum(pow(3, i, 31) * _USCC.index(c) for i, c in enumerate(first))
    return first + _USCC[(31 - total % 31) % 31]


def plates(count: int, electric: Any) -> list[str]:
    """Distinct plates 浙Y…, a letter no city has; those flagged in ``electric`` have the 8 characters of new-energy cars."""
    out = []
    for number, green in enumerate(np.broadcast_to(electric, count).tolist()):
        mixed = (number * 7_919 + 104_729) % 100_000
        if green:
            out.append(f"浙Y{'DF'[number // 100_000 % 2]}{mixed:05d}")
        else:
            out.append(f"浙Y{_PLATE[mixed // 10_000 + number // 100_000 * 10]}{mixed % 10_000:04d}")
    return out
