"""The documents are true: made pages are current, nothing is left out, links lead somewhere, every text has both languages and a use."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from ninja import Schema

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import reference  # noqa: E402
import reference_words as words  # noqa: E402
import source_reader as source  # noqa: E402

from gridloop.access.auditing import GROUPS  # noqa: E402
from gridloop.access.rules import PERMISSIONS  # noqa: E402
from gridloop.doors.cli.main import COMMANDS  # noqa: E402
from gridloop.project.jobs import JOBS  # noqa: E402
from gridloop.sdk.channels import KINDS  # noqa: E402

REFERENCE = ROOT / "docs" / "reference"
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img[^>]+src=\"([^\"]+)\"|<a[^>]+href=\"([^\"]+)\"|srcset=\"([^\"]+)\"")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", reference.PAGES)
def test_page_is_current(name: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == reference.page(name), f"run .venv/bin/python tools/reference.py ({name})"


def test_no_two_shapes_of_the_api_share_a_name() -> None:
    """The document keeps shapes by name: the second of a name would silently stand for the first."""
    reference._api()
    shapes: dict[str, set[str]] = {}
    pending = list(Schema.__subclasses__())
    while pending:
        shape = pending.pop()
        pending += shape.__subclasses__()
        if shape.__module__.startswith("gridloop.") and not shape.__name__.endswith("Query"):  # queries stand in no document
            shapes.setdefault(shape.__name__, set()).add(str(shape.model_json_schema()["properties"]))
    assert len(shapes) > 50
    assert [name for name, told in shapes.items() if len(told) > 1] == []


# ---- nothing is left out ---------------------------------------------------------------------------------------------


def test_every_verb_asks_for_a_known_permission_and_is_listed() -> None:
    page = (REFERENCE / "permissions.md").read_text(encoding="utf-8")
    assert source.verbs()
    assert {v.permission for v in source.verbs()} <= set(PERMISSIONS)
    assert [v.name for v in source.verbs() if f"`{v.name}`" not in page] == []


def test_every_command_is_in_the_readme_or_the_reference() -> None:
    page = (REFERENCE / "commands.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"## gridloop {name}\n" not in page] == []


def test_every_setting_has_words_and_no_words_are_left_over() -> None:
    product = set(source.settings())
    of_tests = source.settings_named(ROOT / "conftest.py") | source.settings_named(ROOT / "web" / "vite.config.ts")
    assert product - set(words.SETTINGS) == set()
    known = product | of_tests
    assert set(words.SETTINGS) - known == set()


def test_documents_name_only_settings_that_exist() -> None:
    folders = [source.PACKAGE / "adapters", ROOT / "packs", ROOT / "mappings"]
    pages = DOCUMENTS + [path for folder in folders for path in folder.rglob("README.md")]
    made = {f"GRIDLOOP_CHANNEL_{kind.upper()}" for kind in KINDS}
    known = made | set(words.SETTINGS)
    unknown = {(str(p.relative_to(ROOT)), name) for p in pages for name in source.settings_named(p) - known if not name.endswith("_")}
    assert unknown == set()


def test_every_channel_has_a_page_and_stands_in_the_settings() -> None:
    page = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    channels = sorted((source.PACKAGE / "adapters" / "channels").glob("*/manifest.yaml"))
    assert channels
    assert [c.parent.name for c in channels if not (c.parent / "README.md").is_file() or f"| `{c.parent.name}` |" not in page] == []


def test_every_fact_has_words() -> None:
    of_cases = {f.action for f in source.facts() if f.chain == "case"}
    of_accounts = {f.action for f in source.facts() if f.chain == "account"}
    others = {f.action for f in source.facts() if f.chain not in ("case", "account")}
    assert of_cases == {key.removeprefix("cases.did_") for key in source.texts() if key.startswith("cases.did_")}
    assert of_accounts == {key.removeprefix("access.did_") for key in source.texts() if key.startswith("access.did_")}
    assert of_accounts == {action for group in GROUPS.values() for action in group}, "the security log knows every action"
    assert others == set(words.FACTS)


# ---- links -----------------------------------------------------------------------------------------------------------


@cache
def _anchors(path: Path) -> frozenset[str]:
    """Headings as the usual renderers name them."""
    heads = re.findall(r"^#+ (.+)$", _FENCED.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    plain = (re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", h).strip().lower() for h in heads)
    return frozenset(re.sub(r"[^\w\- ]", "", h).replace(" ", "-") for h in plain)


def _broken(page: Path) -> Iterator[str]:
    for match in _LINK.finditer(_FENCED.sub("", page.read_text(encoding="utf-8"))):
        link = next(group for group in match.groups() if group)
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
            yield link


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert list(_broken(page)) == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        links = (next(g for g in m.groups() if g).partition("#")[0] for m in _LINK.finditer(page.read_text(encoding="utf-8")))
        pages = {(page.parent / link).resolve() for link in links if link.endswith(".md") and ":" not in link}
        waiting += [p for p in pages - reached if p.exists() and p not in waiting]
    assert [str(p.relative_to(ROOT)) for p in DOCUMENTS if p not in reached] == []


# ---- file names ------------------------------------------------------------------------------------------------------

USUAL = {"__init__", "models", "rules", "messages", "selectors", "actions", "handlers", "schemas", "api", "admin", "apps"}
FREE = {"kernel", "sdk", "doors", "project", "adapters", "simulation"}  # no tables: files are named by what they hold


def test_unusual_files_of_rooms_are_explained() -> None:
    page = (ROOT / "docs" / "decisions" / "0010-file-names.md").read_text(encoding="utf-8")
    rooms = [path for path in source.PACKAGE.iterdir() if path.is_dir() and path.name not in FREE]
    unusual = {path.name for room in rooms for path in room.glob("*.py") if path.stem not in USUAL}
    assert [name for name in sorted(unusual) if name not in page] == []


# ---- texts -----------------------------------------------------------------------------------------------------------


def test_every_text_has_both_languages_with_the_same_placeholders() -> None:
    holes = {key: [set(re.findall(r"(?<!\{)\{(\w+)", said.get(lang, ""))) for lang in ("zh", "en")] for key, said in source.texts().items()}
    assert [key for key, said in source.texts().items() if set(said) != {"zh", "en"} or not all(said.values())] == []
    assert {key: both for key, both in holes.items() if both[0] != both[1]} == {}


def test_every_text_key_in_the_code_has_a_text() -> None:
    no_texts = set(PERMISSIONS) | {name for name, _, _ in JOBS}
    assert {key: file for key, file in source.text_keys_used().items() if key not in source.texts() and key not in no_texts} == {}


def test_every_text_is_used() -> None:
    prefixes = tuple(source.text_prefixes())
    assert [key for key in source.texts() if key not in source.text_keys_used() and not key.startswith(prefixes)] == []
