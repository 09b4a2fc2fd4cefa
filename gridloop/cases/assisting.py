"""Drafts by a language model: a summary of a case, an answer to its reporter. Off unless the deployment names an assistant; nothing

depends on it. It reads what the person who asks may see, masked, and what it writes goes nowhere by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from gridloop.cases import present
from gridloop.journal.actions import append, verb
from gridloop.kernel.errors import FieldFault, Invalid, NotNow, Unavailable
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import Viewer
from gridloop.sdk.assistants import Ask, Assistant, AssistantError, assistant_setting

KINDS = ("summary", "reply")
STEPS_TOLD = 60


def draft(viewer: Viewer, code: str, kind: str) -> str:
    """The draft. NotNow without an assistant; Unavailable when it does not answer; the reading and the fact are frames of their own."""
    if kind not in KINDS:
        raise Invalid(
            "cases.no_such_draft", errors=(FieldFault("/kind", "cases.no_such_draft", {"known": ", ".join(KINDS)}),), known=", ".join(KINDS)
        )
    told = _told(viewer, code)
    assistant = _assistant()
    if assistant is None:
        raise NotNow("cases.no_assistant")
    _note(viewer, code, kind)
    try:
        return assistant.write(Ask(say(f"cases.draft_{kind}", viewer.lang), told))
    except AssistantError as fault:
        raise Unavailable("cases.assistant_failed") from fault


def _assistant() -> Assistant | None:
    return cast(Callable[[], Assistant | None], import_string(settings.GRIDLOOP_ASSISTANT_BOOK))()


def _told(viewer: Viewer, code: str) -> str:
    """The case in words: what was said and what was done, as the viewer sees it, numbers masked, the reporter not named."""
    detail = present.case_detail(viewer, code)
    lines = [detail["title"], detail["type_name"], detail["region_name"], detail["text"]]
    lines += [row["text"] for row in detail["source_rows"] if row["text"] and row["text"] != detail["text"]]
    for fact in present.trace(viewer, code, 0, 500)[-STEPS_TOLD:]:
        lines.append(f"{fact['at'][:16]} {fact['action_name']} {fact['text']}".strip())
    return "\n".join(line for line in lines if line)


@verb("case.read")
def _note(viewer: Viewer, code: str, kind: str) -> None:
    append(f"case:{code}", "draft_asked", {"kind": kind, "assistant": assistant_setting().partition(":")[0]}, viewer, code)
