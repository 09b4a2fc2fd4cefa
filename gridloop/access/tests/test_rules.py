"""Roles, scopes and masks: pure rules, no database."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloop.access import rules


def test_every_role_uses_known_permissions() -> None:
    for role in rules.ROLES.values():
        assert role.permissions <= rules.PERMISSIONS.keys(), role.key
    assert set(rules.SAMPLE_ROLES.values()) <= rules.ROLES.keys()


def test_every_permission_belongs_to_some_role() -> None:
    assert frozenset().union(*(r.permissions for r in rules.ROLES.values())) == rules.PERMISSIONS.keys()


def test_the_rights_of_the_three_officers_are_theirs_alone() -> None:
    for rights, officer in ((rules.ADMIN_ONLY, "admin"), (rules.SECURITY_ONLY, "security_officer"), (rules.AUDIT_ONLY, "auditor")):
        assert {r.key for r in rules.ROLES.values() if r.permissions & rights} == {officer}
        assert rights <= rules.ROLES[officer].permissions


def test_who_watches_sees_no_cases_and_writes_none() -> None:
    security, auditor = rules.ROLES["security_officer"].permissions, rules.ROLES["auditor"].permissions
    families = {p.split(".")[0] for p in security | auditor}
    assert families.isdisjoint({"case", "task", "people", "evidence", "signals", "notice", "device"})
    assert {p.split(".")[1] for p in auditor} == {"read"}
    assert "look.read" not in rules.ROLES["admin"].permissions


@pytest.mark.parametrize(
    ("held", "wanted", "other"),
    [
        ([], "auditor", None),
        (["auditor"], "auditor", None),
        (["operator"], "leader", None),
        (["operator", "admin"], "handler", None),
        (["operator"], "auditor", "operator"),
        (["auditor"], "operator", "auditor"),
        (["admin"], "security_officer", "admin"),
        (["security_officer"], "admin", "security_officer"),
        (["auditor"], "security_officer", "auditor"),
    ],
)
def test_clash(held: list[str], wanted: str, other: str | None) -> None:
    assert rules.clash(held, wanted) == other


def test_no_role_both_administers_accounts_and_handles_cases() -> None:
    admin = rules.ROLES["admin"].permissions
    assert not admin & {"case.accept", "case.void", "task.act", "people.unmask"}


def test_code_asks_only_for_known_permissions() -> None:
    root = Path(rules.__file__).parent.parent
    asked: dict[str, str] = {}
    for path in root.rglob("*.py"):
        if "tests" in path.parts:
            continue
        for name in re.findall(r"""(?:@verb|\.can|require)\(\s*["']([a-z_]+\.[a-z_]+)["']""", path.read_text(encoding="utf-8")):
            asked[name] = str(path)
    unknown = {name: path for name, path in asked.items() if name not in rules.PERMISSIONS}
    assert not unknown


@pytest.mark.parametrize(("scope", "known"), [("all", True), ("signals", True), ("case.read", True), ("cases", False), ("", False)])
def test_scope_known(scope: str, known: bool) -> None:
    assert rules.scope_known(scope) is known


def test_unknown_role_gives_nothing() -> None:
    assert rules.permissions_of(["emperor"]) == frozenset()


@pytest.mark.parametrize(
    ("kind", "value", "masked"),
    [
        ("name", "王小明", "王**"),
        ("name", "欧阳娜娜", "欧阳**"),
        ("name", "欧阳", "欧**"),
        ("name", "", ""),
        ("citizen_id", "11010519491231002X", "1101**********002X"),
        ("citizen_id", "12345", "*****"),
        ("phone", "13812345678", "138****5678"),
        ("phone", "+86 138-1234-5678", "138****5678"),
        ("phone", "0571-8812345", "057****2345"),
        ("phone", "8812345", "*****45"),
        ("phone", "110", "***"),
        ("address", "云澜县青石镇中山路12号3幢2单元402室", "云澜县青石镇中山路12号3幢**"),
        ("address", "青石镇中山路12号402室", "青石镇中山路12号**"),
        ("address", "青石镇滨江花园5号楼1103", "青石镇滨江花园5号楼**"),
        ("address", "青石村12号", "青石村12号"),
        ("address", "青石村", "青石村"),
        ("address", "滨江花园2单元402室", "滨江花园**"),
        ("plate", "浙A12345", "浙A**345"),
        ("plate", "浙AD12345", "浙A**345"),
        ("contact", "13812345678", "138****5678"),
        ("contact", "wx_lily", "w***"),
    ],
)
def test_mask(kind: str, value: str, masked: str) -> None:
    assert rules.MASKS[kind](value) == masked


def test_plate_is_hidden_on_public_screens() -> None:
    assert rules.mask_plate("浙A12345", public=True) == ""


def test_text_hides_numbers_of_people() -> None:
    said = rules.mask_text("请联系13812345678，身份证440524188001010014，车位12号，金额1381234567890元")
    assert said == "请联系138****5678，身份证4405**********0014，车位12号，金额1381234567890元"


def test_wide_digits_are_digits() -> None:
    """A Chinese keyboard writes １ as easily as 1."""
    said = rules.mask_text(
        "Ａ座１２号，请联系１３８１２３４５６７８或＋８６　１３８－１２３４－５６７９，身份证４４０５２４１８８００１０１００１Ｘ"
    )
    assert said == "Ａ座１２号，请联系138****5678或138****5679，身份证4405**********001X"


@given(st.text(alphabet="0123456789", min_size=11, max_size=11))
def test_a_phone_mask_never_holds_the_middle(number: str) -> None:
    masked = rules.mask_phone(number)
    assert masked[3:7] == "****"
    assert len(masked) == 11


@given(st.sampled_from(sorted(rules.MASKS)), st.text(max_size=60))
def test_masks_take_any_text_and_are_stable(kind: str, value: str) -> None:
    mask = rules.MASKS[kind]
    assert isinstance(mask(value), str)
    assert mask(mask(value)) == mask(value) or kind in {"contact", "phone", "citizen_id"}
