"""What the schema library finds wrong with a value, in both languages: it has English words only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gridloop.kernel.texts import Words

# the library's names of what is wrong → our text; several of its names are one thing to a person
_KEYS: Final = {
    "missing": "kernel.field_missing",
    "extra_forbidden": "kernel.field_unknown",
    "string_type": "kernel.field_text",
    "string_sub_type": "kernel.field_text",
    "string_unicode": "kernel.field_text",
    "string_too_long": "kernel.field_text_long",
    "string_too_short": "kernel.field_text_short",
    "string_pattern_mismatch": "kernel.field_form",
    "int_type": "kernel.field_integer",
    "int_parsing": "kernel.field_integer",
    "int_from_float": "kernel.field_integer",
    "int_parsing_size": "kernel.field_integer",
    "float_type": "kernel.field_number",
    "float_parsing": "kernel.field_number",
    "finite_number": "kernel.field_number",
    "bool_type": "kernel.field_bool",
    "bool_parsing": "kernel.field_bool",
    "greater_than": "kernel.field_above",
    "greater_than_equal": "kernel.field_least",
    "less_than": "kernel.field_below",
    "less_than_equal": "kernel.field_most",
    "literal_error": "kernel.field_one_of",
    "enum": "kernel.field_one_of",
    "list_type": "kernel.field_list",
    "tuple_type": "kernel.field_list",
    "set_type": "kernel.field_list",
    "too_long": "kernel.field_list_long",
    "too_short": "kernel.field_list_short",
    "dict_type": "kernel.field_object",
    "mapping_type": "kernel.field_object",
    "model_type": "kernel.field_object",
    "model_attributes_type": "kernel.field_object",
    "datetime_type": "kernel.field_time",
    "datetime_parsing": "kernel.field_time",
    "datetime_from_date_parsing": "kernel.field_time",
    "datetime_object_invalid": "kernel.field_time",
    "timezone_aware": "kernel.field_time",
    "date_type": "kernel.field_date",
    "date_parsing": "kernel.field_date",
    "date_from_datetime_parsing": "kernel.field_date",
    "date_from_datetime_inexact": "kernel.field_date",
    "time_type": "kernel.field_clock",
    "time_parsing": "kernel.field_clock",
    "uuid_type": "kernel.field_uuid",
    "uuid_parsing": "kernel.field_uuid",
    "uuid_version": "kernel.field_uuid",
}


def field_words(found: Mapping[str, Any]) -> Words:
    """One finding (``type``, ``ctx``). What we have no words for is only called wrong."""
    key = _KEYS.get(str(found.get("type", "")), "kernel.field_wrong")
    told = {name: str(value) for name, value in dict(found.get("ctx") or {}).items()}
    if "expected" in told:
        told["expected"] = told["expected"].replace("' or '", "', '")  # the library's only word among the choices
    return Words(key, tuple(told.items()))
