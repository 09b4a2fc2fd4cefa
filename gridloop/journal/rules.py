"""How long sealed values are kept: one table for every purpose, so that none is kept for ever by oversight."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

YEAR = 365


@dataclass(frozen=True, slots=True)
class Kept:
    """How many days after it was sealed a value of a purpose is erased, and what it is."""

    days: int
    zh: str
    en: str


RETENTION: dict[str, Kept] = {
    "reporter": Kept(3 * YEAR, "上报人的姓名与联系方式", "a reporter's name and contact"),
    "case_text": Kept(3 * YEAR, "上报内容", "the words of a report"),
    "case_note": Kept(3 * YEAR, "办理说明与意见", "notes of those who handle a case"),
    "task_form": Kept(3 * YEAR, "任务表单", "the form of a task"),
    "evidence_origin": Kept(3 * YEAR, "照片的拍摄地点与时间", "where and when a photo was taken"),
    "erasure_reason": Kept(3 * YEAR, "删除个人信息的事由", "why a person was erased"),
    "sign_in": Kept(YEAR, "登录的网络地址与浏览器", "address and browser of a log-in"),
    "notice": Kept(90, "通知的地址与内容", "address and text of a notice"),
}


FEWEST_DIGITS = 7  # fewer may be anything: a date, a house


def names_one(text: str, words: Collection[str]) -> bool:
    """Whether a text names somebody by one of their words: a name as it is written, a number whatever stands between its digits."""
    digits = digits_of(text)
    return any((len(word) > 1 and word in text) or (len(digits_of(word)) >= FEWEST_DIGITS and digits_of(word) in digits) for word in words)


def digits_of(text: str) -> str:
    """The digits of a text, whatever stands between them."""
    return "".join(c for c in text if c.isdecimal())
