"""The page of the benchmarks: drawn from any folder of results, marks what became worse, and wants nothing that nobody measures."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
MACHINE = "2 cores, Test CPU, Python 3.11.7, load {load}"


@pytest.fixture(scope="module")
def figures() -> ModuleType:
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        return importlib.import_module("kit.figures")
    finally:
        sys.path.pop(0)


def line(name: str, value: float, unit: str, commit: str, load: float = 0.5, machine: str = MACHINE) -> str:
    made = {"name": name, "value": value, "unit": unit, "at": "2026-11-28T10:00:00+00:00", "commit": commit}
    return json.dumps(made | {"machine": machine.format(load=load)})


def results(folder: Path, *lines: str, script: str = "signals_door") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{script}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def draw(folder: Path, pictures: Path) -> str:
    command = [sys.executable, str(ROOT / "bench" / "report.py"), "--results", str(folder), "--pictures", str(pictures)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (folder / "report.html").read_text(encoding="utf-8")


def test_page_and_pictures_are_drawn_from_a_folder(tmp_path: Path) -> None:
    folder = results(
        tmp_path / "results",
        line("signals_http_json", 30_000, "signals/s", "aaa1111"),
        line("signals_http_json", 31_000, "signals/s", "bbb2222"),
        line("signals_http_json", 12_000, "signals/s", "ccc3333"),
        line("signals_bare_append", 60_000, "signals/s", "ccc3333"),
        line("signals_http_<b>", 1, "%", "ccc3333"),
    )
    page = draw(folder, tmp_path / "pictures")
    assert "HTTP 批次（JSON）" in page
    assert "HTTP batches, JSON" in page
    assert "2 cores, Test CPU" in page
    assert ".venv/bin/python bench/signals_door.py" in page
    assert '<td class="n worse">变差 -61 %' in page, "against the median of 30,000 and 31,000"
    assert "aaa1111" in page, "the history tells its commits"
    assert "<b>" not in page
    assert "<script" not in page
    assert "src=" not in page, "nothing is fetched"
    assert "未达到" in page
    assert "未测" in page, "a target nobody has measured here"
    pictures = sorted(file.name for file in (tmp_path / "pictures").iterdir())
    assert pictures == ["bench-signals_door-signals-s.svg"]
    drawn = ElementTree.parse(tmp_path / "pictures" / pictures[0]).getroot()
    assert len(drawn.findall("{http://www.w3.org/2000/svg}rect")) == 1 + 2, "the ground and a bar for each figure"


def test_nothing_measured_yet_is_a_page_too(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "未测" in draw(tmp_path / "empty", tmp_path / "pictures")


@pytest.mark.parametrize(
    ("unit", "values", "load", "change"),
    [
        ("ms", (100, 110, 105, 140), 0.5, "worse"),
        ("ms", (100, 110, 105, 60), 0.5, "better"),
        ("ms", (100, 110, 105, 115), 0.5, "same"),
        ("cases/s", (100, 100, 60), 0.5, "worse"),
        ("share", (0.9, 0.9, 0.5), 0.5, "worse"),
        ("ms", (100,), 0.5, "unknown"),
        ("ms", (100, 110, 400), 9.0, "unknown"),  # a crowded machine says nothing
    ],
)
def test_change_is_judged_against_the_median(
    figures: ModuleType, tmp_path: Path, unit: str, values: tuple[float, ...], load: float, change: str
) -> None:
    lines = [line("x", value, unit, f"c{n}", load if n == len(values) - 1 else 0.5) for n, value in enumerate(values)]
    (one,) = figures.read(results(tmp_path, *lines, script="many_cases"))["many_cases"]
    assert one.change == change


def test_other_machines_and_crowded_runs_are_not_compared(figures: ModuleType, tmp_path: Path) -> None:
    lines = [
        line("x", 1, "ms", "a", machine="64 cores, Other CPU, Python 3.11.7, load {load}"),
        line("x", 500, "ms", "b", load=8.0),
        line("x", 100, "ms", "c"),
        line("x", 104, "ms", "d"),
    ]
    (one,) = figures.read(results(tmp_path, *lines))["signals_door"]
    assert (len(one.runs), one.before, one.change) == (3, 100, "same")


def test_a_target_may_be_another_figure(figures: ModuleType, tmp_path: Path) -> None:
    folder = results(tmp_path, line("ours", 10, "points/s", "a"), line("theirs", 4, "points/s", "a"), script="places")
    found = {one.name: one for one in figures.read(folder)["places"]}
    assert figures.Target("places", "ours", than="theirs").met(found) is True
    assert figures.Target("places", "theirs", than="ours").met(found) is False
    assert figures.Target("places", "ours", than="nobody").met(found) is None


def test_every_target_names_a_figure_that_is_measured(figures: ModuleType) -> None:
    kept = {script: {one.name for one in ones} for script, ones in figures.read(ROOT / "bench" / "results").items()}
    for target in figures.TARGETS:
        source = ast.parse((ROOT / "bench" / f"{target.script}.py").read_text(encoding="utf-8"))
        said = {node.value for node in ast.walk(source) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        for name in filter(None, (target.name, target.than)):
            assert name in said | kept.get(target.script, set()), f"{target.script} measures no {name}"
