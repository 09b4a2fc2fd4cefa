"""What a detector can say: conditions over readings, and how they are put together. Durations are milliseconds.

A condition holds or does not hold for a key (a device, subject or place) at every moment. At one moment readings count before what was
waited for: an answer in the last millisecond is in time. Of several readings of a key at one moment all count.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar

from gridloop.detection.schedules import Schedule

UP, DOWN, BOTH = "up", "down", "both"
DEVICE, TOKEN = "device", "token"
COUNT, SEEN, SUM = "count", "seen", "sum"
WEEKDAYS, DAY_TYPES = "weekdays", "day_types"
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
MOST_COUNTED, MOST_DAYS = 64, 64
_USUAL_WEEKS = 10  # what is usual has forgotten most of what lies further back
MOST_SUMMED = 1e9  # a greater value is a meter's fault: no sum of a real hour needs it, and whole numbers end somewhere


@dataclass(frozen=True, slots=True)
class Pick:
    """Which readings: of these kinds (all of none named), with a value from ``at_least`` to ``at_most``, read while ``during`` is open."""

    kinds: tuple[int, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    during: Schedule | None = None


class Condition:
    """Base of all that holds or does not. ``begins_unread``, ``ends_unread``: whether it may begin, or end, because nothing more was read;

    for one around others they are those of what it is around, see ``unread``. ``memory``: how far back its state reaches, ms.
    """

    __slots__ = ()
    begins_unread: ClassVar[bool] = False
    ends_unread: ClassVar[bool] = False

    @property
    def memory(self) -> int:
        return sum(getattr(self, name, None) or 0 for name in ("longer", "within", "keep", "gap", "per"))


@dataclass(frozen=True, slots=True)
class Threshold(Condition):
    """From a value at or over ``limit`` until one below ``clear`` (``down``: at or under, until above). Without a value: as before."""

    pick: Pick
    limit: float
    clear: float | None = None
    direction: str = UP


@dataclass(frozen=True, slots=True)
class Rate(Condition):
    """While the last two values differ by at least ``change`` in each ``per``."""

    pick: Pick
    change: float
    per: int
    direction: str = BOTH


@dataclass(frozen=True, slots=True)
class Absence(Condition):
    """When ``longer`` has passed since the last of the readings, of whichever kind; a key nothing was read of waits from its enrolment."""

    pick: Pick
    longer: int

    begins_unread = True


@dataclass(frozen=True, slots=True)
class Count(Condition):
    """While at least ``least`` readings lie in the last ``within``; tumbling: in the present window, end to end from ``offset``."""

    pick: Pick
    least: int
    within: int
    tumbling: bool = False
    offset: int = 0

    ends_unread = True


@dataclass(frozen=True, slots=True)
class Distinct(Condition):
    """As ``Count``, of different devices or tokens (0 is none). By place it is several devices agreeing."""

    pick: Pick
    least: int
    within: int
    of: str = TOKEN
    tumbling: bool = False
    offset: int = 0

    ends_unread = True


@dataclass(frozen=True, slots=True)
class Days(Condition):
    """While some token was read on at least ``least`` of the last ``of`` days, today included. A day begins ``offset`` before UTC's."""

    pick: Pick
    least: int
    of: int
    offset: int = 8 * HOUR

    ends_unread = True

    @property
    def memory(self) -> int:
        return self.of * DAY


@dataclass(frozen=True, slots=True)
class Dwell(Condition):
    """In one zone (token; 0 is outside) for ``longer``, until read elsewhere. More than ``gap`` between two readings begins a new stay."""

    pick: Pick
    longer: int
    zones: tuple[int, ...] | None = None
    gap: int | None = None

    begins_unread = True  # nobody left, or nobody was heard to leave


@dataclass(frozen=True, slots=True)
class Sequence(Condition):
    """For ``keep`` from a ``then`` that came after a ``first``, at most ``within`` later."""

    first: Pick
    then: Pick
    within: int
    keep: int = MINUTE

    ends_unread = True


@dataclass(frozen=True, slots=True)
class Unanswered(Condition):
    """When ``within`` has passed since a ``first`` without a ``then``, until there is one."""

    first: Pick
    then: Pick
    within: int

    begins_unread = True


@dataclass(frozen=True, slots=True)
class Routine(Condition):
    """At the end of an hour that is off what the key usually has then, until one that is not: in the count of readings, the sum of values,

    or whether anything was ``seen`` at all, which is 1 or 0. Values beyond ``MOST_SUMMED`` take no part in a sum.

    Off: by at least ``least`` and ``times`` the usual deviation, the last ``over`` hours taken together, each seen ``learn`` times before.
    Hours of the week (``weekdays``), or of working days and weekends (``day_types``); local time is ``offset`` before UTC's.
    """

    pick: Pick
    of: str = COUNT
    direction: str = DOWN
    times: float = 3.0
    least: float = 1.0
    learn: int = 4
    over: int = 1
    week: str = WEEKDAYS
    offset: int = 8 * HOUR

    ends_unread = True

    @property
    def begins_unread(self) -> bool:  # type: ignore[override]
        return self.direction != UP

    @property
    def memory(self) -> int:
        return _learning(self.learn, self.week) + self.over * HOUR


HARMLESS, MOST_HARMLESS = "harmless_silences", 6


@dataclass(frozen=True, slots=True)
class Silence(Condition):
    """At the end of an hour by which a silence has become as unlikely as ``rarity``, until the end of one in which something was read.

    How unlikely: the product over its last ``over`` whole hours of the share of such hours in which nothing is read (``week`` and
    ``offset`` as in ``Routine``); hours of the day seen less than ``learn`` times say nothing. Only so many hours, because hours far
    apart say the same thing once more: who stays away overnight is missed in the evening and again in the morning. What lasts on after
    the alarm teaches nothing by itself; but where the fact ``HARMLESS`` of a key counts silences that turned out harmless, ``rarity`` is
    halved for each of them, up to ``MOST_HARMLESS``.
    """

    pick: Pick
    rarity: float = 0.005
    learn: int = 7
    over: int = 8
    week: str = DAY_TYPES
    offset: int = 8 * HOUR

    begins_unread = True

    @property
    def memory(self) -> int:
        return _learning(self.learn, self.week)


def _learning(learn: int, week: str) -> int:
    """Until every hour of the week was seen often enough, at least as long as what is usual is remembered."""
    return max(_USUAL_WEEKS, 1 + (learn if week == WEEKDAYS else -(-learn // 2))) * 7 * DAY


@dataclass(frozen=True, slots=True)
class Hold(Condition):
    """When the condition has held for ``longer`` without a break, until it ends."""

    of: Condition
    longer: int


@dataclass(frozen=True, slots=True)
class During(Condition):
    """The condition, beginning only while the schedule is open: one that began before waits for it. Goes on until the condition ends."""

    of: Condition
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Where(Condition):
    """The condition, for keys whose fact has a value from ``at_least`` to ``at_most`` (yes is 1); a fact that is not known is not so."""

    of: Condition
    fact: str
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Unless(Condition):
    """The condition, beginning only outside of the stretch between two facts (times): away from, away to."""

    of: Condition
    since: str
    till: str


@dataclass(frozen=True, slots=True)
class All(Condition):
    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any_(Condition):
    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not(Condition):
    of: Condition


@dataclass(frozen=True, slots=True)
class Step:
    """The alarm is at least this severe while it lasts, from when the condition holds on."""

    severity: int
    when: Condition


@dataclass(frozen=True, slots=True)
class Total:
    """A kind whose readings are the state of a meter: what is between two is a reading of the kind ``use``, of at most ``most`` an hour."""

    kind: int
    use: int
    most: float


@dataclass(frozen=True, slots=True)
class Detector:
    """Raises an alarm when ``when`` begins to hold for a key, unless one was raised less than ``quiet`` before. ``by``: whose condition.

    ``totals``: meters whose states stand for a use it looks at.
    """

    id: str
    version: int
    when: Condition
    by: str = DEVICE
    severity: int = 1
    steps: tuple[Step, ...] = ()
    quiet: int = 0
    totals: tuple[Total, ...] = ()


def unread(condition: Condition, *, begins: bool = True) -> bool:
    """Whether it may begin (else: end) because nothing more was read of a key, as when a gateway died. What is denied is turned around."""
    if isinstance(condition, Not):
        return unread(condition.of, begins=not begins)
    inner = below(condition)
    if inner:
        return any(unread(one, begins=begins) for one in inner)
    return condition.begins_unread if begins else condition.ends_unread


def happens(condition: Condition) -> bool:
    """Whether it tells that something happened, not how something is: it ends because it was told long enough, which says nothing."""
    if isinstance(condition, Sequence | Not):
        return isinstance(condition, Sequence)
    inner = [happens(one) for one in below(condition)]
    return all(inner) if inner and isinstance(condition, Any_) else any(inner)


def below(condition: Condition) -> tuple[Condition, ...]:
    """What a condition is directly around."""
    inner = getattr(condition, "of", ())
    return (inner,) if isinstance(inner, Condition) else inner if isinstance(inner, tuple) else ()


def parts_of(condition: Condition) -> list[Condition]:
    """A condition and all it is around."""
    return [condition, *(part for one in below(condition) for part in parts_of(one))]


def described(part: Any) -> Any:
    """The definition as plain values, to tell whether two are the same."""
    if is_dataclass(part):
        inner = {f.name: described(getattr(part, f.name)) for f in fields(part) if not f.name.startswith("_")}
        if inner.get("totals") == []:  # what was stored before there were any stays what it is
            del inner["totals"]
        return {"is": type(part).__name__, **inner}
    if isinstance(part, dict):
        return sorted([str(key), described(value)] for key, value in part.items())
    if isinstance(part, frozenset):
        return sorted(part)
    if isinstance(part, list | tuple):
        return [described(item) for item in part]
    if isinstance(part, int) and abs(part) > _EXACT:
        return str(part)
    return part if part is None or isinstance(part, bool | int | float | str) else str(part)


def check(detector: Detector) -> None:
    """ValueError, naming the detector and the part, for what cannot be meant."""
    for condition in (detector.when, *(step.when for step in detector.steps)):
        for part in parts_of(condition):
            for name, (least, most) in _BOUNDS.items():
                value = getattr(part, name, None)
                if isinstance(value, int) and not isinstance(value, bool) and not least <= value <= most:
                    raise ValueError(f"{detector.id}: {type(part).__name__}.{name} is {value}; {least} to {most} is possible")
            _check_numbers(detector.id, part)
            _check_words(detector.id, part)
    if detector.quiet < 0:
        raise ValueError(f"{detector.id}: quiet is 0 ms or more")


_EXACT = 2**53 - 1  # larger whole numbers, such as tokens, have no canonical JSON
_LONGEST = 3_660 * DAY
_BOUNDS = {
    "longer": (1, _LONGEST),
    "within": (1, _LONGEST),
    "keep": (1, _LONGEST),
    "gap": (1, _LONGEST),
    "per": (1, _LONGEST),
    "over": (1, 24),
    "learn": (1, 52),
}
_WORDS: dict[str, dict[type[Condition], tuple[str, ...]]] = {
    "direction": {Threshold: (UP, DOWN), Rate: (UP, DOWN, BOTH), Routine: (UP, DOWN, BOTH)},
    "of": {Distinct: (DEVICE, TOKEN), Routine: (COUNT, SEEN, SUM)},
    "week": {Routine: (WEEKDAYS, DAY_TYPES), Silence: (WEEKDAYS, DAY_TYPES)},
}


def _check_numbers(name: str, part: Condition) -> None:
    if isinstance(part, Threshold) and part.clear is not None:
        beyond = part.clear > part.limit if part.direction == UP else part.clear < part.limit
        if beyond:
            raise ValueError(f"{name}: Threshold.clear {part.clear} lies beyond its limit {part.limit}")
    if isinstance(part, Rate) and not part.change > 0:
        raise ValueError(f"{name}: Rate.change is over 0")
    if isinstance(part, Silence) and not 0 < part.rarity < 1:
        raise ValueError(f"{name}: Silence.rarity lies between 0 and 1")
    if isinstance(part, Days) and part.of < part.least:
        raise ValueError(f"{name}: Days on {part.least} of {part.of} days never come")
    if isinstance(part, All | Any_) and not 1 <= len(part.of) <= 16:
        raise ValueError(f"{name}: 1 to 16 conditions can be put together")


def _check_words(name: str, part: Condition) -> None:
    for field, words in _WORDS.items():
        if type(part) in words and getattr(part, field) not in words[type(part)]:
            raise ValueError(f"{name}: {type(part).__name__}.{field} is one of {', '.join(words[type(part)])}")
    most = {Count: MOST_COUNTED, Distinct: MOST_COUNTED, Days: MOST_DAYS}.get(type(part))
    if most and not 1 <= part.least <= most:  # type: ignore[attr-defined]
        raise ValueError(f"{name}: {type(part).__name__}.least is 1 to {most}")
    if isinstance(part, Days) and part.of > MOST_DAYS:
        raise ValueError(f"{name}: Days.of is at most {MOST_DAYS}")
