"""Evidence from the camera to the trace and, when its time is over, out of the store."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, transaction

from gridloop.access.selectors import looks
from gridloop.access.tests.conftest import Cast
from gridloop.evidence import actions, blobs, selectors
from gridloop.evidence.models import File
from gridloop.evidence.tests.pictures import picture, with_gps
from gridloop.journal.actions import verb
from gridloop.journal.models import Sealed
from gridloop.journal.selectors import chain_facts, scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden, Invalid, NotFound
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Viewer

CASE, OTHER_CASE = "YL20260501000001", "YL20260501000002"


@verb("task.act")
def attach(viewer: Viewer, ids: list[UUID | str], case: str = CASE, task: UUID | None = None) -> None:
    """As a task verb would."""
    actions.attach(viewer, ids, case, task)


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def test_bytes_lie_under_their_hash_with_clean_copies(cast: Cast, folder: Path) -> None:
    content = picture()
    stored = actions.add(cast.viewer("worker"), content)
    sha256 = hashlib.sha256(content).hexdigest()
    assert stored.sha256 == sha256
    assert files(folder) == [sha256, f"{sha256}.thumb.jpg", f"{sha256}.view.jpg"]
    assert (folder / sha256[:2] / sha256[2:4] / sha256).read_bytes() == content


def test_the_same_picture_twice_is_two_rows_and_one_file(cast: Cast, folder: Path) -> None:
    first = actions.add(cast.viewer("worker"), picture())
    second = actions.add(cast.viewer("handler"), picture())
    assert first.id != second.id
    assert len(files(folder)) == 3


def test_a_refused_file_leaves_nothing(cast: Cast, folder: Path) -> None:
    with pytest.raises(Invalid):
        actions.add(cast.viewer("worker"), b"not a picture")
    assert not folder.exists()
    with scoped(SYSTEM):
        assert File.objects.count() == 0


def test_nobody_unknown_adds_evidence_but_with_a_report(cast: Cast, folder: Path) -> None:
    with pytest.raises(Forbidden):
        actions.add(PUBLIC, picture())


def test_camera_data_is_sealed_and_measured(cast: Cast, folder: Path) -> None:
    stored = actions.add(cast.viewer("worker"), with_gps(120.0, 30.0), lon=120.001, lat=30.0)
    with scoped(SYSTEM):
        row = File.objects.get(pk=stored.id)
        assert row.gap_m == pytest.approx(96.3, abs=1)
        assert row.origin is not None
        assert set(row.origin) == {"sealed", "commitment"}
        assert Sealed.objects.get(pk=row.origin["sealed"]).value == {"lon": 120.0, "lat": 30.0, "at": "2026:05:01 08:30:00"}


def test_naming_evidence_is_a_fact_with_its_hash(cast: Cast, folder: Path) -> None:
    worker, task = cast.viewer("worker"), uuid4()
    before = actions.add(worker, picture(), kind="before")
    after = actions.add(worker, picture(size=(100, 100)))
    attach(worker, [before.id, str(after.id), before.id], task=task)
    attach(worker, [before.id], task=task)
    facts = chain_facts(SYSTEM, f"case:{CASE}")
    assert [(f.action, f.data["sha256"], f.data["kind"]) for f in facts] == [
        ("evidence_added", before.sha256, "before"),
        ("evidence_added", after.sha256, "after"),
    ]
    rows = selectors.of_case(SYSTEM, CASE)
    assert [(r.id, r.seq, r.task, r.by) for r in rows] == [(before.id, 1, task, "陈强"), (after.id, 2, task, "陈强")]


def test_what_may_not_be_named(cast: Cast, folder: Path) -> None:
    worker, handler = cast.viewer("worker"), cast.viewer("handler")
    mine = actions.add(worker, picture())
    unknown: list[list[UUID | str]] = [["no uuid"], [uuid4()]]
    for ids in unknown:
        with pytest.raises(Invalid):
            attach(worker, ids)
    with pytest.raises(Invalid) as refused:
        attach(handler, [mine.id])
    assert refused.value.key == "evidence.unknown"
    attach(worker, [mine.id])
    with pytest.raises(Invalid) as refused:
        attach(worker, [mine.id], OTHER_CASE)
    assert refused.value.key == "evidence.elsewhere"


def test_only_the_sender_sees_what_is_not_yet_named(cast: Cast, folder: Path) -> None:
    stored = actions.add(cast.viewer("worker"), picture())
    assert selectors.view(cast.viewer("worker"), stored.id).inline
    for name in ("operator", "handler", "citizen"):
        with pytest.raises(NotFound):
            selectors.view(cast.viewer(name), stored.id)
    with pytest.raises(NotFound):
        selectors.view(PUBLIC, stored.id)


def test_the_original_is_opened_for_a_reason_that_is_kept(cast: Cast, folder: Path) -> None:
    worker = cast.viewer("worker")
    content = with_gps(120.0, 30.0)
    stored = actions.add(worker, content)
    with pytest.raises(Invalid):
        actions.open_original(worker, stored.id, "handle_case", "")
    opened = actions.open_original(worker, stored.id, "handle_case", "核对拍摄地点")
    assert Path(opened.path).read_bytes() == content
    assert not opened.inline
    assert [x.subject for x in looks(worker)] == [f"evidence:{stored.id}"]
    with pytest.raises(Forbidden):
        actions.open_original(cast.viewer("handler"), stored.id, "handle_case", "核对拍摄地点")


def test_tampering_is_seen(cast: Cast, folder: Path) -> None:
    worker = cast.viewer("worker")
    stored = actions.add(worker, picture())
    assert selectors.check_stored(worker, stored.id) == (stored.sha256, True)
    path = blobs.path_of(stored.sha256)
    path.write_bytes(path.read_bytes() + b"x")
    assert selectors.check_stored(worker, stored.id) == (stored.sha256, False)
    path.unlink()
    assert selectors.check_stored(worker, stored.id) == (stored.sha256, False)


def test_a_documents_small_picture_is_not_there(cast: Cast, folder: Path) -> None:
    worker = cast.viewer("worker")
    stored = actions.add(worker, b"%PDF-1.7\n%%EOF", kind="document")
    assert not selectors.view(worker, stored.id).inline
    with pytest.raises(NotFound):
        selectors.view(worker, stored.id, thumb=True)


def test_the_reporters_link_opens_that_result_only(cast: Cast, folder: Path) -> None:
    worker = cast.viewer("worker")
    before, after = actions.add(worker, picture(), kind="before"), actions.add(worker, picture(size=(9, 9)), kind="after")
    attach(worker, [before.id, after.id])
    (shown,) = selectors.outward_of(PUBLIC, CASE)
    assert shown.id == after.id
    given = shown.url.partition("?pass=")[2]
    assert selectors.view_by_pass(after.id, given).inline
    for file_id, link in ((before.id, given), (after.id, given + "x"), (after.id, "")):
        with pytest.raises(NotFound):
            selectors.view_by_pass(file_id, link)


def test_unnamed_files_go_after_a_week_named_ones_after_years(cast: Cast, folder: Path) -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    worker = cast.viewer("worker")
    with clock.fixed(start):
        actions.add(worker, picture(size=(8, 8)))
        kept = actions.add(worker, picture())
        attach(worker, [kept.id])
    with clock.fixed(start + timedelta(days=8)):
        assert actions.forget_due() == 1
        assert len(files(folder)) == 3, "the unnamed one is gone"
        selectors.view(SYSTEM, kept.id)
    with clock.fixed(start + timedelta(days=4 * 365)):
        actions.forget_due()
        assert files(folder) == []
        with pytest.raises(NotFound) as gone:
            selectors.view(SYSTEM, kept.id)
    assert gone.value.key == "evidence.erased"
    assert [f.action for f in chain_facts(SYSTEM, f"case:{CASE}")] == ["evidence_added", "evidence_erased"]
    assert selectors.of_case(SYSTEM, CASE)[0].sha256 == kept.sha256


def test_bytes_stay_while_another_row_needs_them(cast: Cast, folder: Path) -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    worker = cast.viewer("worker")
    with clock.fixed(start):
        actions.add(worker, picture())
        kept = actions.add(worker, picture())
        attach(worker, [kept.id])
    with clock.fixed(start + timedelta(days=8)):
        actions.forget_due()
        assert len(files(folder)) == 3


def test_the_database_refuses_what_the_code_would_not_do(cast: Cast, folder: Path) -> None:
    worker, operator = cast.viewer("worker"), cast.viewer("operator")
    stored = actions.add(worker, picture())
    with scoped(worker):
        assert File.objects.count() == 1
        assert File.objects.update(case_code=CASE) == 0
    with scoped(operator):
        assert File.objects.count() == 0
    with pytest.raises(DatabaseError), transaction.atomic(), scoped(operator):
        File.objects.create(
            sha256=stored.sha256, mime="image/jpeg", size=1, at=clock.now(), received_at=clock.now(), retain_until=clock.now()
        )
