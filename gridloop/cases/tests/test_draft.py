"""Drafts by a language model: masked going out, written down, and no harm when there is none or it fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from gridloop.access.actions import issue_token
from gridloop.access.selectors import user_id_of
from gridloop.adapters.assistants.openai.tests.test_write import StandIn
from gridloop.cases import actions, assisting, present
from gridloop.cases.tests.kit import Cast
from gridloop.cases.tests.test_life import actions_of, new_report
from gridloop.kernel.errors import Invalid, NotFound, NotNow, Unavailable
from gridloop.kernel.viewer import PUBLIC, SYSTEM
from gridloop.project.assistants import current
from gridloop.sdk.assistants import Ask, AssistantError

pytestmark = pytest.mark.django_db


class Clerk:
    """Stands for a model: keeps what it was asked."""

    def __init__(self, answer: str | None) -> None:
        self.answer, self.asked = answer, [Ask("", "")][:0]

    def write(self, ask: Ask) -> str:
        self.asked.append(ask)
        if self.answer is None:
            raise AssistantError("down")
        return self.answer


@pytest.fixture
def clerk(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], Clerk]:
    def hired(answer: str | None) -> Clerk:
        made = Clerk(answer)
        monkeypatch.setenv("GRIDLOOP_ASSISTANT", "openai:http://127.0.0.1:9/v1#m")
        monkeypatch.setattr(assisting, "_assistant", lambda: made)
        return made

    return hired


def reported(cast: Cast) -> str:
    code = actions.report(PUBLIC, new_report("路灯不亮，请打10012345678找我")).case
    actions.accept(cast.operator, code, {"note": "请市政处理，联系人电话13812345678"})
    return code


def test_a_draft_is_asked_with_masked_words_and_written_down(cast: Cast, clerk: Callable[[str | None], Clerk]) -> None:
    model, code = clerk("路灯已派市政处理。"), reported(cast)
    assert present.case_detail(cast.operator, code)["assistant"] is True
    assert assisting.draft(cast.operator, code, "summary") == "路灯已派市政处理。"
    (ask,) = model.asked
    assert "摘要" in ask.task
    assert "路灯不亮" in ask.text
    assert "受理" in ask.text
    assert not [number for number in ("10012345678", "13812345678", "李四") if number in ask.text]
    assert actions_of(code)[-1] == "draft_asked"
    assisting.draft(cast.operator, code, "reply")
    assert "答复" in model.asked[-1].task


def test_without_a_model_nothing_is_offered(cast: Cast) -> None:
    code = reported(cast)
    assert present.case_detail(cast.operator, code)["assistant"] is False
    with pytest.raises(NotNow):
        assisting.draft(cast.operator, code, "summary")
    assert "draft_asked" not in actions_of(code)


def test_a_model_that_fails_harms_nothing(cast: Cast, clerk: Callable[[str | None], Clerk]) -> None:
    clerk(None)
    code = reported(cast)
    with pytest.raises(Unavailable):
        assisting.draft(cast.operator, code, "reply")
    assert present.case_detail(cast.operator, code)["status"] == "dispatched"


def test_who_does_not_see_the_case_gets_no_draft(cast: Cast, clerk: Callable[[str | None], Clerk]) -> None:
    model, code = clerk("x"), reported(cast)
    with pytest.raises(NotFound):
        assisting.draft(cast.west_operator, code, "summary")
    with pytest.raises(Invalid):
        assisting.draft(cast.operator, code, "poem")
    assert model.asked == []


def test_the_setting_names_the_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    assert current() is None
    monkeypatch.setenv("GRIDLOOP_ASSISTANT", "openai:http://127.0.0.1:9/v1#qwen")
    assert type(current()).__name__ == "OpenAIAssistant"
    monkeypatch.setenv("GRIDLOOP_ASSISTANT", "nobody:x")
    with pytest.raises(ValueError, match="not installed"):
        current()


def test_the_whole_way_to_a_model_and_back(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over HTTP, with the adapter the setting names, to a stand-in on this machine; without it the same request says so."""
    code, model = reported(cast), StandIn()
    http = Client(headers={"Authorization": f"Bearer {issue_token(SYSTEM, user_id_of('operator') or 0)}"})

    def asked() -> tuple[int, dict[str, Any]]:
        answer = http.post(f"/api/v1/cases/{code}/draft", {"kind": "reply"}, content_type="application/json")
        return answer.status_code, answer.json()

    assert asked()[0] == 409
    threading.Thread(target=model.serve_forever, daemon=True).start()
    try:
        monkeypatch.setenv("GRIDLOOP_ASSISTANT", f"openai:{model.base}#qwen")
        assert asked() == (200, {"text": "起草好了"})
        model.answer = (500, b"{}")
        assert asked()[0] == 503
    finally:
        model.shutdown()
        model.server_close()
    assert asked()[0] == 503, "nobody there any more"
    sent = json.dumps([body for _, body, _ in model.asked], ensure_ascii=False)
    assert "路灯不亮" in sent
    assert not [number for number in ("10012345678", "13812345678") if number in sent]
    assert present.case_detail(cast.operator, code)["status"] == "dispatched"
