"""What can be written in ``detect.yaml``: operators with their keys, groupings, facts; and the JSON Schema made from them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gridloop.detection.rules import BOTH, COUNT, DAY_TYPES, DEVICE, DOWN, HARMLESS, MOST_COUNTED, MOST_DAYS, SEEN, SUM, TOKEN, UP, WEEKDAYS
from gridloop.detection.schedules import ANY, REST, WORKING

WORD = re.compile(r"[a-z][a-z0-9_]{1,40}", re.ASCII)
DURATION = re.compile(r"([1-9][0-9]{0,8})(s|m|h|d)", re.ASCII)
CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
FIGURE = re.compile(r"([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))\s*(\S.*)", re.ASCII)
UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
LONGEST_DAYS = 3_660
LARGEST = 1e12  # of a value: beyond it neighbouring readings are hard to tell apart
MOST_DETECTORS, MOST_STEPS, MOST_JOINED, MOST_PARTS, DEEPEST = 50, 8, 16, 64, 12
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
GROUPINGS = (DEVICE, "subject", "household", "building", "place", "micro_grid", "grid", "village", "town")
YES, NUMBER, TIME = "yes", "number", "time"
FACTS = {
    "lives_alone": YES,
    "elder": YES,
    "rented": YES,
    "vacant": YES,
    "key_place": YES,
    "residents": NUMBER,
    HARMLESS: NUMBER,
    "away_since": TIME,
    "away_till": TIME,
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an operator. ``reads``: what stands there (see ``_SHAPES``)."""

    reads: str
    needed: bool = False
    default: Any = None
    least: float = 0
    most: float = 0
    words: tuple[str, ...] = ()
    example: str = ""


_KIND = Key("kind", needed=True, example="door_open")
_ONLY = Key("only", example="{at_least: 1}")
_LONGER = Key("duration", needed=True, example="24h")
_WITHIN = Key("duration", needed=True, example="10m")
_FROM = Key("clock", example='"00:00"')
_PICK = Key("pick", needed=True, example="{kind: door_open}")
_FIGURE = Key("figure", example="3.2")

OPERATORS: dict[str, dict[str, Key]] = {
    "threshold": {"kind": _KIND, "only": _ONLY, "at_least": _FIGURE, "at_most": _FIGURE, "clear": _FIGURE},
    "rate": {
        "kind": _KIND,
        "only": _ONLY,
        "rises": _FIGURE,
        "falls": _FIGURE,
        "moves": _FIGURE,
        "per": Key("duration", True, example="1h"),
    },
    "absence": {"kind": _KIND, "only": _ONLY, "longer": _LONGER},
    "count": {
        "kind": _KIND,
        "only": _ONLY,
        "least": Key("whole", True, least=1, most=MOST_COUNTED, example="3"),
        "within": _WITHIN,
        "windows_from": _FROM,
    },
    "distinct": {
        "kind": _KIND,
        "only": _ONLY,
        "of": Key("word", default=TOKEN, words=(TOKEN, DEVICE), example="device"),
        "least": Key("whole", True, least=1, most=MOST_COUNTED, example="3"),
        "within": _WITHIN,
        "windows_from": _FROM,
    },
    "days": {
        "kind": _KIND,
        "only": _ONLY,
        "least": Key("whole", True, least=1, most=MOST_DAYS, example="3"),
        "of": Key("whole", True, least=1, most=MOST_DAYS, example="5"),
        "from": _FROM,
    },
    "dwell": {
        "kind": _KIND,
        "only": _ONLY,
        "longer": _LONGER,
        "zones": Key("names", example="[fire_lane]"),
        "gap": Key("duration", example="10m"),
    },
    "sequence": {"first": _PICK, "then": _PICK, "within": _WITHIN, "keep": Key("duration", default=UNITS["m"], example="1m")},
    "unanswered": {"first": _PICK, "then": _PICK, "within": _WITHIN},
    "routine": {
        "kind": _KIND,
        "only": _ONLY,
        "of": Key("word", default=COUNT, words=(COUNT, SEEN, SUM), example="count"),
        "direction": Key("word", default=DOWN, words=(DOWN, UP, BOTH), example="down"),
        "times": Key("number", default=3.0, least=0, most=100, example="3"),
        "least": Key("amount", default=1.0, example="1"),
        "learn": Key("whole", default=4, least=1, most=52, example="4"),
        "over": Key("whole", default=1, least=1, most=24, example="1"),
        "week": Key("word", default=WEEKDAYS, words=(WEEKDAYS, DAY_TYPES), example="day_types"),
    },
    "silence": {
        "kind": _KIND,
        "only": _ONLY,
        "rarity": Key("number", default=0.005, least=0.000001, most=0.5, example="0.005"),
        "learn": Key("whole", default=7, least=1, most=52, example="7"),
        "over": Key("whole", default=8, least=1, most=24, example="8"),
        "week": Key("word", default=DAY_TYPES, words=(WEEKDAYS, DAY_TYPES), example="day_types"),
    },
    "all": {},
    "any": {},
    "not": {},
}
ONE_OF = {"threshold": ("at_least", "at_most"), "rate": ("rises", "falls", "moves")}
MODIFIERS = ("hold", "during", "where", "unless")  # from the inside out
SPAN = {
    "from": Key("clock", True, example='"22:00"'),
    "to": Key("clock", True, example='"06:00"'),
    "weekdays": Key("weekdays", example="[sat, sun]"),
    "days": Key("word", default=ANY, words=(ANY, WORKING, REST), example="working"),
}
DETECTOR = {
    "title": Key("both", True, example="{zh: 独居户久无动静, en: Silent home}"),
    "by": Key("word", default=DEVICE, words=GROUPINGS, example="household"),
    "severity": Key("whole", True, least=1, most=4, example="2"),
    "when": Key("condition", True, example="{absence: {kind: door_open, longer: 24h}}"),
    "steps": Key("steps", example="[{severity: 1, when: …}]"),
    "quiet": Key("duration", example="12h"),
}
STEP = {"severity": DETECTOR["severity"], "when": DETECTOR["when"]}
PICK = {"kind": _KIND, "only": _ONLY}
ONLY = {
    "above_zero": Key("true", example="true"),
    "at_least": _FIGURE,
    "at_most": _FIGURE,
    "during": Key("schedule", example="night"),
}
ABOVE_ZERO = math.ulp(0.0)  # at least this is above zero, in whatever unit
STRETCH = {"since": Key("time_fact", True, example="away_since"), "till": Key("time_fact", True, example="away_till")}

Schema = dict[str, Any]
_WORD_SCHEMA: Schema = {"type": "string", "pattern": f"^{WORD.pattern}$"}
_CLOCK_SCHEMA: Schema = {"type": "string", "pattern": f"^{CLOCK.pattern}$", "description": "local time of day, in quotes"}
_FIGURE_SCHEMA: Schema = {
    "description": "in the unit of the kind, which may stand behind it",
    "oneOf": [{"type": "number", "minimum": -LARGEST, "maximum": LARGEST}, {"type": "string", "pattern": f"^{FIGURE.pattern}$"}],
}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/Detect{name}"}


_SHAPES: Mapping[str, Schema] = {
    "kind": _ref("Kinds"),
    "only": _ref("Only"),
    "pick": _ref("Pick"),
    "condition": _ref("Condition"),
    "steps": {"type": "array", "items": _ref("Step"), "minItems": 1, "maxItems": MOST_STEPS},
    "duration": {"type": "string", "pattern": f"^{DURATION.pattern}$", "description": "seconds, minutes, hours or days"},
    "clock": _CLOCK_SCHEMA,
    "true": {"const": True},
    "figure": _FIGURE_SCHEMA,
    "amount": _FIGURE_SCHEMA,
    "names": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 64}, "minItems": 1, "uniqueItems": True},
    "weekdays": {"type": "array", "items": {"enum": list(WEEK)}, "minItems": 1, "uniqueItems": True},
    "schedule": {**_WORD_SCHEMA, "description": "one of schedules"},
    "time_fact": {"enum": [name for name, what in FACTS.items() if what == TIME]},
    "both": {
        "type": "object",
        "properties": {lang: {"type": "string", "minLength": 1, "maxLength": 60} for lang in ("zh", "en")},
        "required": ["zh", "en"],
        "additionalProperties": False,
    },
}


def _shape(key: Key) -> Schema:
    if key.reads == "word":
        shape: Schema = {"enum": list(key.words)}
    elif key.reads in ("whole", "number"):
        shape = {"type": "integer" if key.reads == "whole" else "number", "minimum": key.least, "maximum": key.most}
    else:
        shape = _SHAPES[key.reads]
    return shape


def _object(keys: Mapping[str, Key], one_of: tuple[str, ...] = ()) -> Schema:
    out: Schema = {
        "type": "object",
        "properties": {name: _shape(key) for name, key in keys.items()},
        "required": [name for name, key in keys.items() if key.needed],
        "additionalProperties": False,
    }
    if one_of:
        out["oneOf"] = [{"required": [name]} for name in one_of]
    return out


def _where() -> Schema:
    bounds = {"at_least": {"type": "number"}, "at_most": {"type": "number"}}
    number = {"type": "object", "properties": bounds, "minProperties": 1, "additionalProperties": False}
    known = {"const": "known"}
    shapes: Mapping[str, Schema] = {YES: {"oneOf": [{"type": "boolean"}, known]}, NUMBER: {"oneOf": [number, known]}, TIME: known}
    properties = {name: shapes[what] for name, what in FACTS.items()}
    return {"type": "object", "properties": properties, "minProperties": 1, "additionalProperties": False}


def _condition() -> Schema:
    several = {"type": "array", "items": _ref("Condition"), "minItems": 1, "maxItems": MOST_JOINED}
    joins: Mapping[str, Schema] = {"all": several, "any": several, "not": _ref("Condition")}
    operators = {name: joins.get(name) or _object(keys, ONE_OF.get(name, ())) for name, keys in OPERATORS.items()}
    modifiers = {
        "hold": _SHAPES["duration"],
        "during": _SHAPES["schedule"],
        "where": _where(),
        "unless": _object(STRETCH),
    }
    return {
        "type": "object",
        "description": "one operator, and what is said beside it: " + ", ".join(MODIFIERS),
        "properties": {**operators, **modifiers},
        "oneOf": [{"required": [name]} for name in OPERATORS],
        "additionalProperties": False,
    }


def schema_definitions() -> dict[str, Schema]:
    """JSON Schema: ``DetectFile`` and what it is made of, each to stand under ``$defs``."""
    one_kind: Schema = {**_WORD_SCHEMA, "description": "a kind of packs/signal_kinds.yaml, or any"}
    named = {"type": "object", "propertyNames": _WORD_SCHEMA}
    spans = {"type": "array", "items": _object(SPAN), "minItems": 1}
    return {
        "DetectFile": {
            "title": "DetectFile",
            "description": "``detect.yaml``.",
            "type": "object",
            "properties": {
                "schedules": {**named, "additionalProperties": spans},
                "detectors": {**named, "additionalProperties": _ref("Detector"), "minProperties": 1, "maxProperties": MOST_DETECTORS},
            },
            "required": ["detectors"],
            "additionalProperties": False,
        },
        "DetectDetector": _object(DETECTOR),
        "DetectStep": _object(STEP),
        "DetectCondition": _condition(),
        "DetectPick": _object(PICK),
        "DetectOnly": {**_object(ONLY), "minProperties": 1, "not": {"required": ["above_zero", "at_least"]}},
        "DetectKinds": {"oneOf": [one_kind, {"type": "array", "items": _WORD_SCHEMA, "minItems": 1, "uniqueItems": True}]},
    }
