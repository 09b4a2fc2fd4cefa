"""Words of history: found as LIKE finds them, by whoever may see the case, until they are erased or the case comes into other hands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridloop.cases.history import columns_of, keep_historic, ready
from gridloop.cases.messages import HistoricCase
from gridloop.cases.models import Case
from gridloop.cases.selectors import CaseFilter, case_page, case_total
from gridloop.cases.tests.kit import EAST, WEST, Cast
from gridloop.journal.actions import erase, scoped
from gridloop.journal.models import Sealed
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM, Viewer

pytestmark = pytest.mark.django_db
LETTERS = "路灯不亮井盖坏了Ab9０Ｂ% '\"\\，𠮷"
texts = st.text(LETTERS, max_size=12)
EAST_GRID, WEST_GRID = f"{EAST}200001001", f"{WEST}200001001"
NUMBERS = "电话138 1234-5678或12345678x，１２"


def keep(*rows: HistoricCase) -> int:
    return keep_historic(SYSTEM, ready(columns_of(rows)))


def row(code: str, text: str = "", region: str = EAST_GRID, days: float = 10, **more: object) -> HistoricCase:
    at = clock.now().replace(microsecond=0) - timedelta(days=days)
    return HistoricCase(code, "28002", region, at, text=text, title=str(more.pop("title", "标题")), **more)  # type: ignore[arg-type]


def found(viewer: Viewer, words: str, **more: object) -> list[str]:
    """Codes, newest first, read in pages of three."""
    codes, after = [], ""
    while True:
        page, end = case_page(viewer, CaseFilter(q=words, **more), 3, after)  # type: ignore[arg-type]
        codes += [case.code for case in page]
        if end is None:
            return codes
        after = end


def posted(words: str = "") -> int:
    """How many postings hold a case, under this pair of characters if one is named."""
    pair = (ord(words[0]) << 21) | ord(words[1]) if words else None
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM cases_posting WHERE %s::bigint IS NULL OR (key & ((1::bigint << 42) - 1)) = %s", [pair, pair])
        return int(cursor.fetchone()[0])


@pytest.fixture
def lookers(cast: Cast) -> tuple[int, tuple[Viewer, ...]]:
    """The id of a department and those who look."""
    return cast.units["MUNICIPAL"], (
        SYSTEM,
        cast.operator,
        cast.west_operator,
        cast.county_operator,
        cast.worker,
        cast.handler,
        cast.citizen,
    )


told = st.tuples(texts, texts, st.sampled_from([EAST_GRID, WEST_GRID]), st.sampled_from([0.5, 1, 1.5, 13, 15, 200]), st.booleans())


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(told, max_size=8), words=st.lists(texts, min_size=1, max_size=4))
def test_posted_words_are_found_as_like_finds_them(
    lookers: tuple[int, tuple[Viewer, ...]], rows: list[tuple[str, str, str, float, bool]], words: list[str]
) -> None:
    department, viewers = lookers
    kept = [
        row(f"H-{n:04d}", text.strip(), region, days, address=address.strip(), unit=department if led else None)
        for n, (text, address, region, days, led) in enumerate(rows)
    ]
    asked = [w.strip() for w in words if len(w.strip()) > 1] + [text[1:4].strip() for text, *_ in rows if len(text[1:4].strip()) > 1]
    narrow = str.maketrans("ABＢ０", "abb0")
    with transaction.atomic():
        keep(*kept[::2])
        keep(*kept[1::2])
        by_time = sorted(case_page(SYSTEM, CaseFilter(), 100)[0], key=lambda c: (c.reported_at, c.pk), reverse=True)
        said = {r.code: [part.translate(narrow) for part in (r.title, r.address, r.text)] for r in kept}
        for viewer in viewers:
            seen = {case.code for case in case_page(viewer, CaseFilter(), 100)[0]}
            for each in asked:
                look = each.translate(narrow)
                right = [c.code for c in by_time if c.code in seen and any(look in part for part in said[c.code])]
                right += [c.code for c in by_time if c.code in seen and c.code not in right and c.code.startswith(each.upper())]
                assert found(viewer, each) == right, (viewer.name, each)
                assert case_total(viewer, CaseFilter(q=each)) == len(right)
                assert found(viewer, each, unit=department) == [c.code for c in by_time if c.code in right and department in c.unit_ids]
                assert found(viewer, each, region=WEST) == [c.code for c in by_time if c.code in right and c.region.startswith(WEST)]
        transaction.set_rollback(True)


def test_what_is_posted_is_what_the_database_makes_of_one_case(cast: Cast) -> None:
    at = datetime(1969, 7, 20, 20, 17, 40, 500_000, tzinfo=UTC)
    keep(HistoricCase("H-0001", "28002", EAST_GRID, at, title="Ｂ路Ab", address=""), row("H-0002", NUMBERS, title="𠮷a", address="路灯12"))
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.code, ARRAY(SELECT p.key FROM cases_posting p WHERE gl_posted_as(c.id, c.reported_at) = ANY (p.cases) AND (p.key & "
            "((1::bigint << 42) - 1)) < (1114112::bigint << 21) ORDER BY 1), ARRAY(SELECT unnest(w.words) ORDER BY 1) "
            "FROM cases_case c JOIN gl_cases_words_of(0, 1::bigint << 41) w ON w.case_id = c.id ORDER BY c.code"
        )
        for code, ours, theirs in cursor.fetchall():
            assert ours == theirs, code
            assert ours
    assert found(cast.operator, "a") == ["H-0002", "H-0001"]
    assert found(cast.operator, "路ａ") == ["H-0001"]


def test_what_is_erased_is_in_no_posting(cast: Cast) -> None:
    keep(row("H-0001", "密语在报告里", address="密街"), row("H-0002", "密语在这里也有", days=11), row("H-0003", "只此一处"))
    assert found(cast.operator, "密语") == ["H-0001", "H-0002"]
    erase(SYSTEM, "case:H-0001/reporter", "retention")
    assert found(cast.operator, "密语") == ["H-0002"]
    assert found(cast.operator, "密街") == ["H-0001"]
    erase(SYSTEM, "case:H-0003/reporter", "retention")
    assert posted("密语") == 1
    assert posted("此一") == 0
    erase(SYSTEM, "case:H-0002/reporter", "retention")
    assert posted() == 0


def test_a_case_in_other_hands_is_found_there(cast: Cast) -> None:
    keep(row("H-0001", "路灯不亮", unit=cast.units["MUNICIPAL"]), row("H-0002", "路灯亮了", days=11))
    assert found(cast.handler, "路灯") == ["H-0001"]
    with scoped(SYSTEM):
        Case.objects.filter(code="H-0002").update(unit_ids=[cast.units["MUNICIPAL"]])
        Case.objects.filter(code="H-0001").update(region=WEST_GRID, title="换了标题")
    assert found(cast.handler, "路灯") == ["H-0001", "H-0002"]
    assert found(cast.west_operator, "路灯") == ["H-0001"]
    assert found(cast.operator, "换了") == []
    assert found(cast.west_operator, "换了标题") == ["H-0001"]
    with scoped(SYSTEM):
        Case.objects.filter(code="H-0001").update(reported_at=clock.now() - timedelta(days=100))
        assert Sealed.objects.filter(purpose="case_text").count() == 2
    assert found(cast.handler, "路灯") == ["H-0002", "H-0001"]
    assert posted() == 0
