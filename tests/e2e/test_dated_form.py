"""A process that asks for a day and a time, published as a designer would: typed, refused, kept, stored and shown."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from gridloop.scenes.book import KEPT_SECONDS
from gridloop.scenes.loading import PACKS, PROCESSES
from tests.e2e.conftest import Deployment
from tests.e2e.people import SEND_MS, Desk, Phone, Spot
from tests.house.product import clean_environment

TYPE = "28004"
FORM = {
    "type": "object",
    "additionalProperties": False,
    "required": ["day", "next"],
    "properties": {
        "day": {"type": "string", "format": "date", "title": "复查日期", "x-title-en": "Day of the recheck"},
        "next": {"type": "string", "format": "date-time", "title": "下次上门时间", "x-title-en": "Next visit"},
    },
}
PUBLISH = """
import sys
from pathlib import Path
from gridloop.doors.cli.common import django_on
with django_on(Path(sys.argv[1])):
    from gridloop.access.selectors import user_id_of, viewer_for
    from gridloop.scenes.actions import install
    from gridloop.scenes.loading import Known, load_all
    home = Path(sys.argv[2])
    (one,) = load_all(home / "packs", Known.of(processes=home / "processes"))
    install(viewer_for(user_id_of("designer")), one)
"""


def written(home: Path) -> Path:
    """A pack and its process: the standard one, whose handler fills in the form."""
    pack = home / "packs" / "dated"
    shutil.copytree(PACKS / "general", pack, ignore=shutil.ignore_patterns("stories"))
    text = (pack / "pack.yaml").read_text(encoding="utf-8")
    for old, new in (("id: general", "id: dated"), ("28002", TYPE), ("standard_case", "dated_case"), ("any_type", "# any_type")):
        text = text.replace(old, new)
    (pack / "pack.yaml").write_text(text, encoding="utf-8")
    diagram = (PROCESSES / "standard_case.bpmn").read_text(encoding="utf-8").replace("standard_case", "dated_case")
    form = f"<bpmn:extensionElements><gridloop:form>{json.dumps(FORM, ensure_ascii=False)}</gridloop:form></bpmn:extensionElements>"
    diagram = re.sub(r'(<bpmn:userTask id="handle"[^>]*>)', lambda found: found[1] + form, diagram, count=1)
    (home / "processes").mkdir()
    (home / "processes" / "dated_case.bpmn").write_text(diagram, encoding="utf-8")
    return home


@pytest.fixture
def dated(deployment: Deployment, tmp_path: Path) -> Iterator[None]:
    arguments = [sys.executable, "-c", PUBLISH, str(deployment.folder), str(written(tmp_path))]
    done = subprocess.run(arguments, env=clean_environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    deployment.api("commander").post("/api/v1/packs/dated/switch", {"on": True})
    time.sleep(KEPT_SECONDS)  # until every process has looked again
    yield
    deployment.api("commander").post("/api/v1/packs/dated/switch", {"on": False})


@pytest.mark.usefixtures("dated")
def test_a_day_and_a_time_are_typed_kept_stored_and_shown(
    deployment: Deployment, phone: Callable[..., Phone], desk: Callable[..., Desk], spot: Spot
) -> None:
    operator = deployment.api("operator")
    code = operator.report(spot, "建议在桥头装一盏灯", TYPE)["case"]
    operator.post(f"/api/v1/cases/{code}/accept", {"unit": deployment.api("handler").get("/api/v1/me")["unit"]["id"]})
    assert operator.case(code)["scene"] == "dated"
    handler = phone("handler", spot)
    handler.begin_result(code)
    sheet = handler.page.locator("dialog[open]")
    day, moment = sheet.get_by_label("复查日期"), sheet.get_by_label("下次上门时间")
    send = sheet.get_by_role("button", name="反馈结果")
    assert handler.axe("a sheet with a day and a time") == []
    send.click()
    expect(sheet.get_by_role("alert")).to_have_text("还差：复查日期、下次上门时间")

    day.press("1")  # the month alone: half a date
    moment.focus()
    moment.fill("2026-12-05T09:30")
    send.click()
    expect(sheet.get_by_role("alert")).to_contain_text("复查日期")
    assert operator.case(code)["status"] == "handling"

    day.fill("2026-12-05")
    day.blur()
    handler.page.reload()
    expect(day).to_have_value("2026-12-05")
    expect(moment).to_have_value("2026-12-05T09:30")
    send.click()
    expect(handler.page.get_by_text("已反馈，等待核查")).to_be_visible(timeout=SEND_MS)

    (submitted,) = [f for f in operator.get(f"/api/v1/cases/{code}/trace", limit=200)["items"] if f["action"] == "submitted"]
    assert "2026-12-05" not in json.dumps(submitted["data"])  # sealed: it can be erased
    page = desk("operator").open(f"/cases/{code}")
    expect(page.locator(".timeline")).to_contain_text("复查日期：2026-12-05\n下次上门时间：2026-12-05 09:30", use_inner_text=True)
