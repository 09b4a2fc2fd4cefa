"""What the schemas find wrong with a request's field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gridloop.kernel.errors import FieldFault
from gridloop.kernel.field_words import field_words

_OUTSIDE: Final = ("body", "query", "path", "form", "file", "header")


def fault_of(found: Mapping[str, Any]) -> FieldFault:
    """One finding of the library (``type``, ``loc``, ``ctx``) as a fault with a JSON pointer."""
    where = [str(part) for part in found.get("loc", ()) if part not in _OUTSIDE]
    return FieldFault("/" + "/".join(where), "doors.bad_field", {"field": where[-1] if where else "body", "what": field_words(found)})
