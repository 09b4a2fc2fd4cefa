"""Pure rules of the registry: check digits of the national identifiers, plates, and what a record must say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from gridloop.kernel.errors import FieldFault
from gridloop.orgs.rules import filled, one_of, place_fault
from gridloop.registry.messages import (
    BuildingRow,
    DeviceRow,
    EnterpriseRow,
    HouseholdRow,
    HouseRow,
    PersonRow,
    PlaceRow,
    VehicleRow,
)

DEVICE_STATUSES = ("online", "silent", "faulty", "unproved")
SEXES = ("M", "F", "U")

# GB 11643: citizen identity number
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_ID_FORM = re.compile(r"[1-9][0-9]{16}[0-9X]", re.ASCII)
# GB 32100: unified social credit code; its characters 9–17 are an organisation code of GB 11714
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
_ORG_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORG_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
# GA 36: plates, kept in upper case without separators
_PLATE = re.compile(
    r"(?:[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z]"
    r"(?:[A-HJ-NP-Z0-9]{4}[A-HJ-NP-Z0-9挂学警港澳]|[A-HJK][A-HJ-NP-Z0-9][0-9]{4}|[0-9]{5}[A-HJK])|使[0-9]{6}|[0-9]{6}使)",
    re.ASCII,
)
_PLATE_NOISE = re.compile(r"[\s·•.\-－—]+")


LONGEST_ABSENCE = timedelta(days=366)


def clean_citizen_id(value: str) -> str:
    return value.strip().upper()


def citizen_id_check(first_17: str) -> str:
    """The 18th character for the first 17 digits."""
    return _ID_CHECKS[sum(int(d) * w for d, w in zip(first_17, _ID_WEIGHTS, strict=True)) % 11]


def citizen_id_birth(value: str) -> date | None:
    """The date of birth in a number, None when it is no date."""
    try:
        return date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
    except ValueError:
        return None


def citizen_id_sex(value: str) -> str:
    return "M" if int(value[16]) % 2 else "F"


def valid_citizen_id(value: str) -> bool:
    """18 characters, a real date between 1850 and 2150, the right check character."""
    if not _ID_FORM.fullmatch(value):
        return False
    birth = citizen_id_birth(value)
    return birth is not None and 1850 <= birth.year <= 2150 and citizen_id_check(value[:17]) == value[17]


def uscc_check(first_17: str) -> str:
    """The 18th character; ValueError for a character outside the alphabet."""
    total = sum(_USCC_ALPHABET.index(c) * w for c, w in zip(first_17, _USCC_WEIGHTS, strict=True))
    return _USCC_ALPHABET[(31 - total % 31) % 31]


def valid_uscc(value: str) -> bool:
    """18 characters of the alphabet with the right check character."""
    if len(value) != 18 or any(c not in _USCC_ALPHABET for c in value):
        return False
    return uscc_check(value[:17]) == value[17]


def organisation_code_check(first_8: str) -> str:
    """The 9th character of an organisation code (GB 11714)."""
    rest = 11 - sum(_ORG_ALPHABET.index(c) * w for c, w in zip(first_8, _ORG_WEIGHTS, strict=True)) % 11
    return {10: "X", 11: "0"}.get(rest, str(rest))


def valid_organisation_code(value: str) -> bool:
    """``D2143569-X`` or without the dash."""
    bare = value.replace("-", "")
    return len(bare) == 9 and all(c in _ORG_ALPHABET for c in bare[:8]) and organisation_code_check(bare[:8]) == bare[8]


def clean_plate(value: str) -> str:
    """Upper case without dots, dashes and blanks: the way plates are stored."""
    return _PLATE_NOISE.sub("", value).upper()


def valid_plate(value: str) -> bool:
    return _PLATE.fullmatch(value) is not None


# --- records -------------------------------------------------------------------------------------------------------------


def building_fault(row: BuildingRow) -> FieldFault | None:
    return filled(row, "code", "region_code", "name") or place_fault(row.lon, row.lat)


def house_fault(row: HouseRow) -> FieldFault | None:
    return filled(row, "code", "building", "room", "kind")


def household_fault(row: HouseholdRow) -> FieldFault | None:
    return filled(row, "code")


def person_fault(row: PersonRow) -> FieldFault | None:
    if fault := filled(row, "code", "name") or one_of("/sex", row.sex, SEXES):
        return fault
    if row.citizen_id_no and not valid_citizen_id(clean_citizen_id(row.citizen_id_no)):
        return FieldFault("/citizen_id_no", "registry.row_citizen_id")
    return None


def enterprise_fault(row: EnterpriseRow) -> FieldFault | None:
    if fault := filled(row, "uscc", "name", "region_code") or place_fault(row.lon, row.lat):
        return fault
    if not valid_uscc(row.uscc.strip().upper()):
        return FieldFault("/uscc", "registry.row_uscc", params={"uscc": row.uscc[:24]})
    return None


def vehicle_fault(row: VehicleRow) -> FieldFault | None:
    if not valid_plate(clean_plate(row.plate)):
        return FieldFault("/plate", "registry.row_plate")
    if row.person and row.enterprise:
        return FieldFault("/enterprise", "registry.row_two_owners")
    return None


def place_row_fault(row: PlaceRow) -> FieldFault | None:
    return filled(row, "code", "name", "kind", "region_code") or place_fault(row.lon, row.lat)


def device_fault(row: DeviceRow) -> FieldFault | None:
    if fault := filled(row, "code", "kind", "region_code") or one_of("/status", row.status, DEVICE_STATUSES):
        return fault
    if not re.fullmatch(r"[A-Za-z0-9_.:@-]{1,64}", row.code, re.ASCII):
        return FieldFault("/code", "registry.row_device_code", params={"code": row.code[:80]})
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,31}", row.kind):
        return FieldFault("/kind", "registry.device_kind")
    if row.interval_seconds <= 0:
        return FieldFault("/interval_seconds", "registry.row_interval")
    return place_fault(row.lon, row.lat)


def facts_of_home(people: int, lone: bool, old: bool, kind: str | None = None) -> dict[str, float]:
    """Of a home of which nobody is known, who lives there is not known; nor is the kind of a house that is not."""
    facts: dict[str, float] = {}
    if people:
        facts |= {"residents": float(people), "lives_alone": float(lone or people == 1), "elder": float(lone or old)}
    if kind:
        facts |= {"rented": float(kind == "rented"), "vacant": float(kind == "vacant")}
    return facts


def absence_fault(since: datetime, till: datetime, now: datetime) -> FieldFault | None:
    """A time away that is over, turned round or without a sensible end helps nobody who watches the home."""
    if till <= since:
        return FieldFault("/till", "registry.absence_order")
    if till <= now:
        return FieldFault("/till", "registry.absence_over")
    if till - since > LONGEST_ABSENCE or since > now + LONGEST_ABSENCE:
        return FieldFault("/till", "registry.absence_long", {"days": LONGEST_ABSENCE.days})
    return None


def next_absence(told: Iterable[tuple[datetime, datetime]], at: datetime) -> tuple[datetime, datetime] | None:
    """From when to when nobody is at home, now or next; times that meet are one. None when nothing is told."""
    found: tuple[datetime, datetime] | None = None
    for since, till in sorted(told):
        if till <= at:
            continue
        if found is not None and since > found[1]:
            break
        found = (since, till) if found is None else (found[0], max(found[1], till))
    return found


def facts_of_absence(since: datetime, till: datetime) -> dict[str, float]:
    """As detectors ask for it: ms."""
    return {"away_since": float(round(since.timestamp() * 1000)), "away_till": float(round(till.timestamp() * 1000))}
