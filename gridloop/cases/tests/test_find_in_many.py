"""Lists, counts and words among so many cases that the ways of large deployments are taken: villages in order of time, tags, rare pairs."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridloop.cases import selectors
from gridloop.cases.history import columns_of, keep_historic, ready
from gridloop.cases.messages import HistoricCase
from gridloop.cases.models import Case
from gridloop.cases.selectors import COUNT_LIMIT, POINTS_LIMIT, CaseFilter, case_counts, case_map, case_page, case_total
from gridloop.cases.tests.kit import EAST, WEST, Cast
from gridloop.journal.actions import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM, Grant, Viewer

pytestmark = pytest.mark.django_db
VILLAGE, OTHER = f"{EAST}200", f"{EAST}201"
REGIONS = (VILLAGE, f"{VILLAGE}001001", f"{VILLAGE}001002", f"{VILLAGE}002001", f"{VILLAGE}010001", f"{OTHER}001001", f"{WEST}200001001")
MANY = 11_500  # so that a village holds more than are counted, and a fortnight's postings are larger than what is looked up at once
LETTERS = "占道经"
BOXES = ((121.6, 29.19, 121.7, 29.21), (121.62, 29.19, 121.65, 29.21), (121.64, 29.2, 121.641, 29.2), (121.64, 29.25, 121.65, 29.26))


def sees(*regions: str, units: frozenset[int] = frozenset()) -> Viewer:
    grants = [Grant("grid_worker", region) for region in regions]
    return Viewer("一人", user_id=None, grants=(*grants, *([Grant("handler", unit_ids=units)] if units else [])))


def history(count: int, department: int) -> list[HistoricCase]:
    """Most are in one village; a fifth is led by the department; words of three letters, and seldom one that is in nothing else."""
    chance, end = random.Random(20), clock.now().replace(microsecond=0)
    rows = []
    for n in range(count):
        region = chance.choices(REGIONS, (2, 36, 10, 12, 6, 3, 3))[0]
        text = "".join(chance.choices(LETTERS, k=5)) + ("稀" if n % 1999 == 7 else "")
        at = end - timedelta(minutes=chance.randrange(1, 40 * 24 * 60))
        lon = 121.60 + chance.random() / 10
        rows.append(
            HistoricCase(
                f"H-{n:05d}", "28002", region, at, text=text, title="标题", unit=department if n % 5 == 0 else None, lon=lon, lat=29.2
            )
        )
    return rows


@pytest.fixture
def many(cast: Cast) -> tuple[list[HistoricCase], Cast]:
    rows = history(MANY, cast.units["MUNICIPAL"])
    for first in range(0, MANY, 6_000):
        keep_historic(SYSTEM, ready(columns_of(rows[first : first + 6_000])))
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM cases_case")
        assert cursor.fetchone()[0] == MANY
    return rows, cast


def test_everybody_finds_and_counts_what_is_theirs(many: tuple[list[HistoricCase], Cast]) -> None:
    rows, cast = many
    department = cast.units["MUNICIPAL"]
    by_time = sorted(rows, key=lambda r: (r.reported_at, int(r.code[2:])), reverse=True)
    for regions, units in (
        ([f"{VILLAGE}001"], frozenset()),
        ([f"{VILLAGE}001001"], frozenset()),
        ([f"{VILLAGE}001002", f"{VILLAGE}010"], frozenset()),
        ([VILLAGE, f"{OTHER}001"], frozenset()),
        ([f"{VILLAGE}002"], frozenset({department})),
        ([EAST], frozenset()),
        ([], frozenset({department})),
    ):
        viewer = sees(*regions, units=units)
        theirs = [r for r in by_time if any(r.region_code.startswith(one) for one in regions) or r.unit in units]
        assert shown(viewer, CaseFilter()) == [r.code for r in theirs[:60]], (regions, units)
        assert case_total(viewer, CaseFilter()) == total(len(theirs))
        counts = case_counts(viewer, CaseFilter())
        assert counts["box"]["done"] == min(len(theirs), COUNT_LIMIT + 1)
        assert counts["more"] == (len(theirs) > COUNT_LIMIT)
        found = case_map(viewer, CaseFilter(bbox=(121.0, 29.0, 122.0, 30.0)), 10)
        assert sum(c["count"] for c in found["clusters"]) + len(found["points"]) == min(len(theirs), COUNT_LIMIT)
        for words in ("占道", "占道经", "道经占道", "经稀", "道经稀", "天地"):
            said = [r for r in theirs if words in r.text]
            assert shown(viewer, CaseFilter(q=words)) == [r.code for r in said[:60]], (regions, words)
            assert case_total(viewer, CaseFilter(q=words)) == total(len(said)), (regions, words)
        for west, south, east, north in BOXES:
            inside = [r for r in theirs if west <= (r.lon or 0) <= east and south <= (r.lat or 0) <= north]
            box = CaseFilter(bbox=(west, south, east, north))
            assert shown(viewer, box) == [r.code for r in inside[:60]], (regions, units, box)
            assert case_total(viewer, box) == total(len(inside))
            found = case_map(viewer, box, 14)
            assert sum(c["count"] for c in found["clusters"]) + len(found["points"]) == min(len(inside), COUNT_LIMIT)
            if len(inside) <= POINTS_LIMIT:
                assert {point["code"] for point in found["points"]} == {r.code for r in inside}
        grid = [r for r in theirs if r.region_code.startswith(f"{VILLAGE}001")]
        assert shown(viewer, CaseFilter(region=f"{VILLAGE}001")) == [r.code for r in grid[:60]]
        assert case_total(viewer, CaseFilter(region=f"{VILLAGE}001", q="道经")) == total(sum("道经" in r.text for r in grid))


def shown(viewer: Viewer, wanted: CaseFilter) -> list[str]:
    return [case.code for case in case_page(viewer, wanted, 60)[0]]


def total(count: int) -> int | str:
    return count if count <= COUNT_LIMIT else f"{COUNT_LIMIT}+"


DEGREES = st.floats(-89.9, 89.9) | st.integers(-44_000, 44_000).map(lambda n: n / 500)  # also the very edges of tiles


@settings(max_examples=200)
@given(
    corner=st.tuples(DEGREES, DEGREES),
    size=st.tuples(st.floats(0, 0.03), st.floats(0, 0.03)),
    part=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_every_place_in_a_box_lies_in_its_tiles(corner: tuple[float, float], size: tuple[float, float], part: tuple[float, float]) -> None:
    west, south = 2 * corner[0], corner[1]
    east, north = west + size[0], south + size[1]
    lon, lat = min(east, west + part[0] * size[0]), min(north, south + part[1] * size[1])
    with connection.cursor() as cursor:
        asked = "SELECT gl_tile(%(lon)s, %(lat)s) = ANY (t) FROM gl_tiles(%(west)s, %(south)s, %(east)s, %(north)s) t"
        cursor.execute(asked, {"lon": lon, "lat": lat, "west": west, "south": south, "east": east, "north": north})
        assert cursor.fetchone()[0] is True


def test_a_box_that_is_not_small_has_no_tiles() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT gl_tiles(121, 29, 123, 31), gl_tiles(122, 29, 121, 31), gl_tiles(NULL, 29, 121, 31)")
        assert cursor.fetchone() == (None, [], None)


NUMBERS = st.lists(st.integers(0, 29), unique=True)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(listed=NUMBERS, others=st.lists(st.integers(0, 29)), most=st.integers(1, 35))
def test_what_is_put_among_the_newest_is_the_newest_of_all(thirty: list[int], listed: list[int], others: list[int], most: int) -> None:
    """``thirty``: ids, the newest first, two by two of the same second."""
    newest = [thirty[n] for n in sorted(listed)[:most]]
    beside = [thirty[n] for n in others]
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("SELECT gl_cases_among(%s::bigint[], %s::bigint[], false, %s)", [newest, beside, most])
        found = cursor.fetchone()[0]
        cursor.execute("SELECT gl_cases_among(%s::bigint[], %s::bigint[], true, %s)", [newest, beside, most])
        any_of_them = cursor.fetchone()[0]
    right = [one for one in thirty if one in {*newest, *beside}]
    assert sorted(found) == sorted(right[:most])
    assert len(any_of_them) == len(set(any_of_them)) == min(most, len(right))
    assert set(any_of_them) <= set(right)


@pytest.fixture
def thirty(cast: Cast) -> list[int]:
    end = clock.now().replace(microsecond=0)
    keep_historic(
        SYSTEM,
        ready(columns_of([HistoricCase(f"H-{n}", "28002", VILLAGE, end - timedelta(seconds=n // 2), title="标题") for n in range(30)])),
    )
    with scoped(SYSTEM):
        return list(Case.objects.order_by("-reported_at", "-id").values_list("id", flat=True))


@pytest.mark.parametrize("words", ["占道", "占道经", "经稀"])
def test_a_count_by_words_that_would_take_long_says_how_many_there_are_at_least(
    many: tuple[list[HistoricCase], Cast], monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    rows, _ = many
    right = sum(words in r.text for r in rows)
    seen = []
    for effort in (0, 20_000, 60_000, 10**9):
        monkeypatch.setattr(selectors, "COUNT_EFFORT", effort)
        seen.append(str(case_total(SYSTEM, CaseFilter(q=words))))
    assert seen[-1] == str(total(right))
    least = [int(told.rstrip("+")) for told in seen]
    assert least == sorted(least)
    assert all(told.endswith("+") for told, number in zip(seen, least, strict=True) if number < least[-1]), seen
    if words == "占道":
        assert least[0] < right, "as far as the first step goes, and no further"
        monkeypatch.setattr(selectors, "COUNT_EFFORT", 0)
        assert case_total(SYSTEM, CaseFilter(q=words), least[0] + 7) == f"{least[0] + 7}+", "no less than its list shows"
