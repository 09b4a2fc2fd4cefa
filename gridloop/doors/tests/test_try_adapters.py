"""``gridloop adapters``: listed, tried, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gridloop.doors.cli.main import cli


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["adapters", *map(str, arguments)])


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployment with an adapter of its own."""
    monkeypatch.setenv("GRIDLOOP_DATA_DIR", str(tmp_path))
    manifest = tmp_path / "adapters" / "rainhouse" / "manifest.yaml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(
        "id: rainhouse\ntitle: {zh: 雨量站, en: Rain gauges}\ndescribed: https://example.org\n"
        "push: {device: $.s, readings: [{kind: rain, value: $.mm}]}\n",
        encoding="utf-8",
    )
    return manifest


def test_they_are_listed_with_their_kinds(own: Path) -> None:
    listed = _run().output
    assert "rainhouse        rain" in listed
    assert "onenet" in listed


def test_a_captured_push_shows_its_signals(own: Path, tmp_path: Path) -> None:
    pushed = tmp_path / "push.json"
    pushed.write_text('[{"s": "r1", "mm": "2.5"}, {"s": "r2"}]')
    done = _run("rainhouse", pushed)
    assert done.exit_code == 0, done.output
    (signal,) = [json.loads(line) for line in done.output.splitlines()]
    assert (signal["device"], signal["kind"], signal["value"]) == ("r1", "rain", 2.5)


@pytest.mark.parametrize(
    ("content", "said"),
    [('[{"s": "r1", "mm": "viel"}]', "viel"), ('{"s": "r2"}', "没有信号"), ('[{"mm": 1}]', "$.s")],
)
def test_what_does_not_work_says_so(own: Path, tmp_path: Path, content: str, said: str) -> None:
    pushed = tmp_path / "push.json"
    pushed.write_text(content)
    done = _run("rainhouse", pushed)
    assert done.exit_code == 1
    assert said in done.output


def test_a_broken_manifest_is_told_with_its_place(own: Path) -> None:
    own.write_text(own.read_text(encoding="utf-8").replace("kind: rain", "kind: Rain"), encoding="utf-8")
    done = _run()
    assert done.exit_code == 1
    assert f"{own}: " in done.output
    assert "$.push.readings[...].kind" in done.output or "readings[0].kind" in done.output
