"""Search by words and by the ends of codes: what LIKE would find, for whoever looks; and what is erased is found by nobody."""

from __future__ import annotations

import pytest
from django.db import connection, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridloop.cases import actions
from gridloop.cases.actions import erase_reporter
from gridloop.cases.messages import Report
from gridloop.cases.models import Case, Source
from gridloop.cases.rules import reporter_subject
from gridloop.cases.selectors import CaseFilter, case_counts, case_map, case_page, case_row, case_total
from gridloop.cases.tests.kit import HERE, THERE, Cast
from gridloop.journal.actions import erase, scoped
from gridloop.journal.models import Sealed
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Viewer

pytestmark = pytest.mark.django_db
LETTERS = "路灯不亮井盖坏了Ab9% '\"，"  # few, so that what is looked for is often there
texts = st.text(LETTERS, max_size=12)


def told(text: str, address: str = "", place: tuple[float, float] = HERE) -> str:
    return actions.report(PUBLIC, Report(text=text, kind="28002", lon=place[0], lat=place[1], address=address)).case


def found(viewer: Viewer, words: str, **more: object) -> set[str]:
    return {row.code for row in case_page(viewer, CaseFilter(q=words, **more), 100)[0]}  # type: ignore[arg-type]


def like(viewer: Viewer, words: str) -> set[str]:
    """The plain answer: every case the viewer sees, each text read."""
    with scoped(SYSTEM):
        said: dict[str, list[str]] = {}
        for row in Sealed.objects.filter(purpose="case_text", value__isnull=False):
            said.setdefault(row.case_code or "", []).append(str(row.value))
    rows = case_page(viewer, CaseFilter(), 500)[0]
    asked = words.strip().lower()
    by_text = {r.code for r in rows if any(asked in t.lower() for t in (r.title, r.address, *said.get(r.code, ())))}
    return by_text | {r.code for r in rows if r.code.startswith(asked) or (len(asked) >= 4 and r.code.endswith(asked))}


@pytest.fixture
def viewers(cast: Cast) -> tuple[Viewer, ...]:
    return (SYSTEM, cast.operator, cast.west_operator, cast.handler, cast.citizen)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reports=st.lists(st.tuples(texts, texts, st.sampled_from([HERE, THERE])), max_size=5), words=st.lists(texts, min_size=1, max_size=6))
def test_words_are_found_as_like_finds_them(
    viewers: tuple[Viewer, ...], reports: list[tuple[str, str, tuple[float, float]]], words: list[str]
) -> None:
    with transaction.atomic():
        for n, (text, address, (lon, lat)) in enumerate(reports):
            told(text or "一", address, (lon + n * 0.003, lat))
        asked = [w for w in words if w.strip()] + [text[1:4] for text, _address, _place in reports if text[1:4].strip()]
        for viewer in viewers:
            for each in asked:
                assert found(viewer, each) == like(viewer, each), (viewer.name, each)
                assert found(viewer, each, box="open") == like(viewer, each)
                assert case_total(viewer, CaseFilter(q=each)) == len(like(viewer, each))
        transaction.set_rollback(True)


def test_a_code_is_found_by_its_end_at_once(cast: Cast) -> None:
    other, code = told("灯不亮"), told("井盖坏了", place=(HERE[0] + 0.02, HERE[1]))
    assert other != code
    for words in (code, code[-7:], code[-5:], code[-4:], code[2:]):
        assert found(cast.operator, words) == {code}, words
        assert found(cast.west_operator, words) == set()
    assert found(cast.operator, code[:10]) == {code, other}
    assert found(cast.operator, code[5:9]) == set()


def test_a_masked_number_is_found_by_none_of_its_parts(cast: Cast) -> None:
    """Otherwise who may read the case could try it out digit by digit."""
    code = told("井盖坏了，请打１３８１２３４５６７８或138-1234 5679或１３８－１２３４－５６７０", place=THERE)
    assert found(cast.west_operator, "请打") == {code}
    for words in (
        "13812345678",
        "１３８１２３４５６７８",
        "138",
        "12345",
        "34567",
        "81234",
        "5679",
        "13",
        "1234",
        "１２３４",
        "4－5",
        "8 ",
    ):
        assert found(cast.west_operator, words) - {c for c in [code] if words in c} == set(), words


def test_what_is_looked_for_is_narrowed_and_paged(cast: Cast) -> None:
    codes = [told(f"第{n}盏路灯不亮", place=(HERE[0] + n * 0.002, HERE[1])) for n in range(5)]
    first, after = case_page(cast.operator, CaseFilter(q="路灯"), 2)
    assert [r.code for r in first] == [codes[4], codes[3]]
    second, after = case_page(cast.operator, CaseFilter(q="路灯"), 2, after or "")
    last, end = case_page(cast.operator, CaseFilter(q="路灯"), 2, after or "")
    assert ([r.code for r in [*second, *last]], end) == ([codes[2], codes[1], codes[0]], None)
    actions.void(cast.operator, codes[2], {"note": "重复"})
    assert found(cast.operator, "路灯", box="done") == {codes[2]}
    assert found(cast.operator, "路灯", status=("reported", "verifying")) == {*codes} - {codes[2]}
    urgent = case_page(cast.operator, CaseFilter(q="路灯"), 10, "", "urgent")[0]
    assert {r.code for r in urgent} == set(codes)
    assert {r.code for r in case_page(cast.operator, CaseFilter(q="路灯", box="open"), 10, "", "urgent")[0]} == {*codes} - {codes[2]}
    counts = case_counts(cast.operator, CaseFilter(q="路灯"))
    assert (counts["box"]["done"], sum(counts["box"].values()), counts["more"]) == (1, 5, False)
    assert len(case_map(cast.operator, CaseFilter(q="盏路灯"), 12)["points"]) == 5


def words_left() -> int:
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM cases_words w, unnest(w.words) p WHERE (p & ((1::bigint << 42) - 1)) = ((%s::bigint << 21) | %s)",
            [ord("密"), ord("语")],
        )
        return int(cursor.fetchone()[0])


def test_erasure_leaves_no_words(cast: Cast) -> None:
    code = told("密语在报告里", address="密语街七号")
    assert found(cast.operator, "密语") == {code}
    assert words_left() == 1
    erase_reporter(cast.admin, code)
    assert found(cast.operator, "密语") == set()
    assert words_left() == 0
    due = told("密语又来了", place=THERE)
    assert words_left() == 1
    erase(SYSTEM, reporter_subject(due), "retention")
    assert words_left() == 0


def test_merged_split_and_renamed(cast: Cast) -> None:
    first, second = told("路灯不亮了"), told("井盖松动", place=(HERE[0] + 0.02, HERE[1]))
    actions.merge(cast.operator, second, first, {})
    assert found(cast.operator, "井盖松动") == {second}  # the words stay with the case they were told of
    with scoped(SYSTEM):
        source = Source.objects.filter(case__code=first, came_under=second).get()
    made = actions.split(cast.operator, first, source.pk)
    assert found(cast.operator, "井盖松动") == {made}
    with scoped(SYSTEM):
        Case.objects.filter(code=made).update(title="垃圾外溢")
    assert found(cast.operator, "垃圾外溢") == {made}
    assert case_row(cast.operator, made).title == "垃圾外溢"


@pytest.mark.django_db(databases=["default", "owner"])
@pytest.mark.parametrize(
    ("index", "asked"),
    [
        ("cases_case_one_of_code", "c.code = 'YL20260101000001'"),
        ("cases_case_one_of_code", "c.code IN ('YL20260101000001', 'YL20260101000002')"),
        ("cases_case_one_of_code", "c.code ~>=~ 'YL2026' AND c.code ~<~ 'YL2027'"),
        ("cases_case_one_of_code", "c.code LIKE 'YL2026%'"),
        ("cases_case_of_units", "{unit}"),
        ("cases_case_of_units", "c.region LIKE '990101%' OR {scope}"),
        ("cases_case_of_staff", "c.region LIKE '990101%' OR {scope}"),
        ("cases_case_shared", "{scope} AND c.unit_ids IS DISTINCT FROM ARRAY[c.lead_unit_id]"),
    ],
)
def test_what_is_asked_has_its_index(index: str, asked: str) -> None:
    """The indexes of units and people leave out the cases that have none: the planner must see that what is asked does, too."""
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SELECT set_config('gridloop.units', '7', true), set_config('gridloop.staff', '9', true)")
        cursor.execute("SELECT gl_cases_scope('none'), gl_cases_where('{\"unit\": \"7\"}')")
        scope, unit = cursor.fetchone()
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN SELECT c.id FROM cases_case c WHERE {asked.format(scope=scope, unit=unit)}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert index in plan, plan
