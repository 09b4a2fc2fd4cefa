"""What the schemas find wrong with a field, in the caller's language: the library has English words only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gridloop.kernel.errors import FieldFault
from gridloop.kernel.texts import say

_OUTSIDE: Final = ("body", "query", "path", "form", "file", "header")

# the library's names of what is wrong → our text; several of its names are one thing to a person
_KEYS: Final = {
    "missing": "doors.field_missing",
    "extra_forbidden": "doors.field_unknown",
    "string_type": "doors.field_text",
    "string_sub_type": "doors.field_text",
    "string_unicode": "doors.field_text",
    "string_too_long": "doors.field_text_long",
    "string_too_short": "doors.field_text_short",
    "string_pattern_mismatch": "doors.field_form",
    "int_type": "doors.field_integer",
    "int_parsing": "doors.field_integer",
    "int_from_float": "doors.field_integer",
    "int_parsing_size": "doors.field_integer",
    "float_type": "doors.field_number",
    "float_parsing": "doors.field_number",
    "finite_number": "doors.field_number",
    "bool_type": "doors.field_bool",
    "bool_parsing": "doors.field_bool",
    "greater_than": "doors.field_above",
    "greater_than_equal": "doors.field_least",
    "less_than": "doors.field_below",
    "less_than_equal": "doors.field_most",
    "literal_error": "doors.field_one_of",
    "enum": "doors.field_one_of",
    "list_type": "doors.field_list",
    "tuple_type": "doors.field_list",
    "set_type": "doors.field_list",
    "too_long": "doors.field_list_long",
    "too_short": "doors.field_list_short",
    "dict_type": "doors.field_object",
    "mapping_type": "doors.field_object",
    "model_type": "doors.field_object",
    "model_attributes_type": "doors.field_object",
    "datetime_type": "doors.field_time",
    "datetime_parsing": "doors.field_time",
    "datetime_from_date_parsing": "doors.field_time",
    "datetime_object_invalid": "doors.field_time",
    "timezone_aware": "doors.field_time",
    "date_type": "doors.field_date",
    "date_parsing": "doors.field_date",
    "date_from_datetime_parsing": "doors.field_date",
    "date_from_datetime_inexact": "doors.field_date",
    "time_type": "doors.field_clock",
    "time_parsing": "doors.field_clock",
    "uuid_type": "doors.field_uuid",
    "uuid_parsing": "doors.field_uuid",
    "uuid_version": "doors.field_uuid",
}


def fault_of(found: Mapping[str, Any], lang: str) -> FieldFault:
    """One finding of the library (``type``, ``loc``, ``msg``, ``ctx``) as a fault with a JSON pointer."""
    where = [str(part) for part in found.get("loc", ()) if part not in _OUTSIDE]
    field = where[-1] if where else "body"
    key = _KEYS.get(str(found.get("type", "")), "doors.field_wrong")
    context = {name: str(value) for name, value in dict(found.get("ctx") or {}).items()}
    what = say(key, lang, **{"least": "", "most": ""} | context | {"said": str(found.get("msg", ""))})
    return FieldFault("/" + "/".join(where), "doors.bad_field", {"field": field, "what": what})
