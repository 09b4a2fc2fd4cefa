"""YAML read strictly: every fault with file and line, no anchors or tags, and nothing that other YAML readers would read differently."""

from __future__ import annotations

import copy
import pathlib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from gridloop.kernel.field_words import field_words
from gridloop.kernel.texts import Words

M = TypeVar("M", bound=BaseModel)
Path = tuple[str | int, ...]
LARGEST = 200_000  # characters
LONGEST_NUMBER = 400  # digits; more of them are text
# words and numbers that YAML 1.1 readers take for something else: on → true, 12:30 → 750, 01002 → 514
_TRAP = re.compile(r"^(y|n|yes|no|on|off|[-+]?0[0-9_]+|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|0o[0-7]+|=|<<)$", re.IGNORECASE)
_NULL, _TRUE, _FALSE = ("", "~", "null", "Null", "NULL"), ("true", "True", "TRUE"), ("false", "False", "FALSE")
_WIDE = re.compile("[：，“”‘’｛｝［］－　]")  # what a Chinese keyboard writes for the punctuation of YAML
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|(?:^|\s)#.*")
_FOREIGN = re.compile("[\udc80-\udcff]")  # bytes that are no UTF-8, as ``text_of`` keeps them
# What a pattern asks for, in words; the pattern itself says nothing to most people
_FORMS = {
    r"^[1-9][0-9]{0,5}(m|h|d|wh|wd)$": "scenes.form_limit",
    r"^\+([0-9]{1,5})(m|h|d)$": "scenes.form_offset",
    r"^[a-z][a-z0-9_]{1,40}$": "scenes.form_word",
    r"^[0-9]{5}$": "scenes.form_type",
    r"^([0-9]{2}|[0-9]{5})$": "scenes.form_types",
    r"^[0-9]+\.[0-9]+\.[0-9]+$": "scenes.form_version",
}
_LIMITS = ("limit", "within", "pause")  # a number without its unit is no text: then there is no pattern that it missed
_INT, _FLOAT = re.compile(r"^[-+]?[0-9]+$"), re.compile(r"^[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]+)?$")
# The library's sentences (English only), by how they begin → ours, which say how it is mended
_YAML_WORDS = (
    (r"mapping values are not allowed", "scenes.yaml_colon"),
    (r"could not find expected ':'", "scenes.yaml_no_colon"),
    (r"sequence entries are not allowed", "scenes.yaml_dash"),
    (r"found character '\\t'", "scenes.yaml_tab"),
    (r"found character (?P<found>'.*'|\".*\") that cannot start", "scenes.yaml_start"),
    (r"found unexpected (end of stream|document separator)", "scenes.yaml_open_quote"),
    (r"(found unknown escape|expected escape sequence)", "scenes.yaml_escape"),
    (r"expected ',' or '(?P<found>[\]}])'", "scenes.yaml_open_bracket"),
    (r"expected (<block end>|the node content)", "scenes.yaml_indent"),
    (r"expected (a single document|'<document start>')|found non-comment content", "scenes.yaml_one_document"),
    (r"(found undefined alias|expected alphabetic or numeric|.?found duplicate anchor)", "scenes.yaml_star"),
)


def _yaml_words(*said: str) -> Words:
    """The problem, else what the library was at when it met it."""
    for sentence in said:
        for begins, key in _YAML_WORDS:
            if (found := re.match(begins, sentence)) is not None:
                return Words(key, tuple(found.groupdict().items()))
    return Words("scenes.yaml_other")


@dataclass(frozen=True, slots=True, order=True)
class Wrong:
    """One fault of a file that a person can mend; ``str`` is ``file:line: message``."""

    file: str
    line: int
    key: str
    params: tuple[tuple[str, Any], ...] = field(default=(), compare=False)

    @property
    def words(self) -> Words:
        what = Words(self.key, self.params)
        return Words("scenes.wrong_at", (("file", self.file), ("line", self.line), ("what", what)))

    def said(self, lang: str = "zh") -> str:
        return self.words.said(lang)

    def __str__(self) -> str:
        return self.said()


@dataclass(slots=True)
class Document:
    """A file's plain data with the line of every part."""

    file: str
    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    wrongs: list[Wrong] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of a part, or of the nearest part around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def fault(self, path: Path, key: str, **params: Any) -> None:
        self.wrongs.append(Wrong(self.file, self.line(path), key, tuple(params.items())))

    def parse(self, model: type[M]) -> M | None:
        """The data as the model, or None with the faults noted."""
        if self.wrongs:
            return None
        try:
            return model.model_validate(self.data if self.data is not None else {})
        except ValidationError as error:
            errors = error.errors(include_url=False)
            places = [one["loc"] for one in errors]
            for one in errors:  # a list whose parts are wrong is not told off a second time for being short
                if not any(len(place) > len(one["loc"]) and place[: len(one["loc"])] == one["loc"] for place in places):
                    self._model_fault(one)
            return None

    def _model_fault(self, one: Any) -> None:
        path: Path = tuple(part for part in one["loc"] if part != "[key]")
        name = ".".join(str(part) for part in path) or "-"
        keys = {"extra_forbidden": "scenes.unknown_key", "missing": "scenes.missing_key"}
        key, given = keys.get(one["type"], "scenes.bad_value"), one.get("input")
        detail = Words(form) if (form := _form(one, path)) else field_words(one)
        if wide := _wide(str(path[-1]) if key == "scenes.unknown_key" else given if key == "scenes.bad_value" and form else ""):
            detail = Words("scenes.wide", (("what", detail), ("found", wide)))
            key = "scenes.unknown_key_wide" if key == "scenes.unknown_key" else key
        self.fault(path, key, name=name, value=_short(given), detail=detail, found=wide)


def _form(one: Any, path: Path) -> str | None:
    if one["type"] == "string_type" and path and path[-1] in _LIMITS:
        return "scenes.form_limit"
    return _FORMS.get(str((one.get("ctx") or {}).get("pattern", "")))


def _wide(text: Any) -> str:
    """The first full-width mark of a text; '' for none."""
    found = _WIDE.search(text) if isinstance(text, str) else None
    return "" if found is None else "U+3000" if found[0] == "\u3000" else found[0]


def text_of(path: pathlib.Path) -> str:
    """The file's text. Bytes that are no UTF-8 are kept, for ``read`` to tell of them with their line."""
    return path.read_text(encoding="utf-8", errors="surrogateescape")


def read(text: str, file: str) -> Document:
    """The document; its ``wrongs`` say what is not strict. Never raises. A text read before costs next to nothing."""
    kept = _read(text, file)
    return Document(file, copy.deepcopy(kept.data), dict(kept.lines), list(kept.wrongs))


@lru_cache(maxsize=512)
def _read(text: str, file: str) -> Document:
    document = Document(file)
    if len(text) > LARGEST:
        document.fault((), "scenes.too_large", limit=LARGEST)
        return document
    if (foreign := _FOREIGN.search(text)) is not None:
        document.wrongs.append(Wrong(file, text.count("\n", 0, foreign.start()) + 1, "scenes.not_utf8"))
        return document
    try:
        root = YAML(typ="safe", pure=True).compose(text)
        if root is not None:
            document.data = _value(root, (), document)
    except RecursionError:
        document.data = None
        document.fault((), "scenes.too_deep")
    except MarkedYAMLError as error:
        document.wrongs.append(_yaml_wrong(error, text, file))
    except ReaderError as error:
        document.wrongs.append(
            Wrong(file, text.count("\n", 0, error.position) + 1, "scenes.yaml", (("detail", Words("scenes.yaml_character")),))
        )
    except YAMLError as error:
        document.fault((), "scenes.yaml", detail=_yaml_words(str(error)))
    return document


def _yaml_wrong(error: MarkedYAMLError, text: str, file: str) -> Wrong:
    """Where it is to be mended: a key without its colon stands where the key is, and not where the reader gave up."""
    detail = _yaml_words(str(error.problem), str(error.context))
    marks = (error.problem_mark, error.context_mark)
    mark = next((mark for mark in (reversed(marks) if detail.key == "scenes.yaml_no_colon" else marks) if mark), None)
    line = mark.line + 1 if mark else 1
    lines = text.splitlines()
    if line > 1 and lines[line - 2].strip(" ").startswith("\u3000"):
        line -= 1  # it goes on with the next one, as text
    if wide := _wide(_QUOTED.sub("", lines[line - 1])) if line <= len(lines) else "":
        detail = Words("scenes.wide", (("what", detail), ("found", wide)))
    return Wrong(file, line, "scenes.yaml", (("detail", detail),))


def _value(node: Node, path: Path, document: Document) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if node.anchor:
        document.wrongs.append(Wrong(document.file, node.start_mark.line + 1, "scenes.anchor"))
        return None
    if isinstance(node, ScalarNode):
        return _scalar(node, path, document)
    if isinstance(node, SequenceNode):
        return [_value(child, (*path, index), document) for index, child in enumerate(node.value)]
    mapping: dict[str, Any] = {}
    assert isinstance(node, MappingNode)
    for key_node, value_node in node.value:
        key = _scalar(key_node, path, document) if isinstance(key_node, ScalarNode) else None
        if not isinstance(key, str):
            document.wrongs.append(Wrong(document.file, key_node.start_mark.line + 1, "scenes.text_key", (("name", str(key)),)))
            continue
        document.lines[(*path, key)] = key_node.start_mark.line + 1
        if key in mapping:
            document.fault((*path, key), "scenes.double_key", name=key)
        mapping[key] = _value(value_node, (*path, key), document)
    return mapping


def _scalar(node: ScalarNode, path: Path, document: Document) -> Any:
    text: str = node.value
    line = node.start_mark.line + 1
    if node.style is not None:
        return text
    if getattr(node.ctag, "handle", None) or str(getattr(node, "tag", "")).startswith("!"):
        document.wrongs.append(Wrong(document.file, line, "scenes.tag"))
        return None
    if _TRAP.match(text):
        document.wrongs.append(Wrong(document.file, line, "scenes.trap_yes" if text.isalpha() else "scenes.trap", (("value", text),)))
        return text
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.match(text) and len(text) <= LONGEST_NUMBER:
        return int(text)
    return float(text) if _FLOAT.match(text) else text


def needs_quotes(text: str) -> bool:
    """Whether a word would be read as something else, or refused, when it stood without quotes."""
    return text in (*_NULL, *_TRUE, *_FALSE) or any(pattern.match(text) for pattern in (_TRAP, _INT, _FLOAT))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
