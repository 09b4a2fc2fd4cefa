"""What a proposal is made from, as numbers: words of a report without their address, and where it comes from. Pure, no database.

A mark is an integer below ``MARKS``: the CRC-32 of a piece of text, of the place or of the source. Marks are all the learner ever keeps
of a report; two pieces may share one, which costs little at this width (measured by ``bench/routing.py``).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

MARKS = 1 << 16
LONGEST_PIECE = 3
SURE = 0.7  # below it the proposal says "unsure"
ENOUGH = 50  # examples of a label before what was learned about it counts
BINS = 15  # of the calibration error

Marks = NDArray[np.int64]
Weights = NDArray[np.float32]

_NUMBER = "[0-9零〇一二三四五六七八九十百之]"
# atomic ((?>…), ++): what is taken is never given back, so that no text, however made, takes more than a moment
# (groups are not repeated possessively: Python before 3.11.5 gets that wrong)
# an address: the road and everything numbered behind it; districts in front of it, and what is between them
_ROAD = re.compile(
    rf"(?>(?:[\u4e00-\u9fff]{{1,5}}?(?:市|县|区|镇|乡|街道|社区|村|里|屯)){{0,8}})[\u4e00-\u9fff]{{1,8}}?(?:大道|大街|(?<![道马公铁网线电])路|街|胡同)"
    rf"(?>(?:{_NUMBER}++(?:段|巷|弄|号|楼|栋|幢|座|单元|室|邻|米)?[、,至到~-]?)*)"
)
_NUMBERED = re.compile(rf"[\u4e00-\u9fff]{{0,2}}{_NUMBER}+(?:段|巷|弄|号|楼|层|栋|幢|座|单元|室|邻|盏|根|米|公里)")


def matter(cleaned: str) -> str:
    """What a report is about, its address taken out: equal for equal matters at different places. Takes cleaned text."""
    last = cleaned.rpartition(" ")[2]
    rest = _NUMBERED.sub("", _ROAD.sub("", cleaned))
    rest = "".join(c for c in rest if c.isalnum())
    return rest if len(rest) >= 2 else "".join(c for c in last if c.isalnum())


def pieces(text: str) -> Iterable[str]:
    """Every run of one, two and three characters."""
    for length in range(1, LONGEST_PIECE + 1):
        for start in range(len(text) - length + 1):
            yield text[start : start + length]


def mark(kind: str, piece: str) -> int:
    """The mark of a piece; the same piece of another kind has another mark."""
    return zlib.crc32(f"{kind}\x1f{piece}".encode()) % MARKS


def gather(marks: Iterable[int]) -> tuple[Marks, Weights]:
    """Distinct marks and their weights: 1 + ln(count), the whole of length 2 so that a long report weighs as much as a short one."""
    found, counts = np.unique(np.fromiter(marks, dtype=np.int64), return_counts=True)
    weights = (1.0 + np.log(counts)).astype(np.float32)
    length = float(np.sqrt((weights * weights).sum()))
    return found, (weights * np.float32(2.0 / length) if length else weights)


def word_marks(cleaned: str, source: str, region: str) -> list[int]:
    """Marks of what was said, through which channel and in which town."""
    about = matter(cleaned)
    marks = [mark("text", p) for p in pieces(cleaned)]
    marks += [mark("matter", p) for p in pieces(about)]
    marks.append(mark("whole", about))
    marks.append(mark("source", source))
    marks += [mark("place", region[:n]) for n in _levels(region)]
    return marks


def place_marks(case_type: str, region: str, cleaned: str) -> list[int]:
    """Marks of a kind of case at a place, each level of it by itself, and of what was said: who answers for it."""
    marks = [mark("type", case_type)] * 4
    marks += [mark("type-place", f"{case_type} {region[:n]}") for n in _levels(region)] * 2
    marks += [mark("text", p) for p in pieces(matter(cleaned))]
    return marks


def grave_marks(case_type: str, source: str, cleaned: str) -> list[int]:
    """Marks of a kind of case from a source, and of what was said: how pressing it is."""
    marks = [mark("type", case_type)] * 4 + [mark("type-source", f"{case_type} {source}")] * 2
    marks += [mark("text", p) for p in pieces(matter(cleaned))]
    return marks


def _levels(region: str) -> Sequence[int]:
    """Lengths of the codes above a region, itself last; the lengths are those of the codes, not names of levels."""
    return [n for n in (6, 9, 12, 15, 18) if n <= len(region)]


def telling(cleaned: str, lift: dict[int, float], most: int = 3) -> list[str]:
    """The pieces of a text that spoke most for a label, longest runs of them first joined: words a person can check.

    ``lift``: how much each mark raised the label. A character's lift is the sum over the pieces it stands in.
    """
    about = matter(cleaned)
    if not about or not lift:
        return []
    weight = [0.0] * len(about)
    for length in range(1, LONGEST_PIECE + 1):
        for start in range(len(about) - length + 1):
            gain = lift.get(mark("matter", about[start : start + length]), 0.0)
            for place in range(start, start + length):
                weight[place] += gain / length
    limit = max(weight) * 0.4
    runs: list[tuple[float, str]] = []
    start = 0
    for end in range(len(about) + 1):
        if end < len(about) and weight[end] > limit:
            continue
        if end - start >= 2:
            runs.append((sum(weight[start:end]), about[start:end]))
        start = end + 1
    return [run for _, run in sorted(runs, reverse=True)[:most]]


def calibration_error(said: Sequence[tuple[float, bool]]) -> float:
    """Expected calibration error: over bins of equal width, how far the confidence said lies from the share that was right."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for chance, right in said:
        bins.setdefault(min(int(chance * BINS), BINS - 1), []).append((chance, right))
    return sum(abs(sum(c for c, _ in one) - sum(r for _, r in one)) for one in bins.values()) / len(said) if said else 0.0
