"""Writes ``bench/results/report.html``, one page of all kept figures.

The same charts are drawn for the documentation (``docs/pictures/bench-*.svg``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from kit.drawing import bars, figure, line
from kit.figures import CROWDED, SECTIONS, TARGETS, WORSE, Figure, Target, read, words
from kit.record import RESULTS, ROOT

PICTURES = ROOT / "docs" / "pictures"
MOST_BARS = 20
PICTURED = {  # shown in docs/benchmarks.md
    ("signals_door", "signals/s"),
    ("consoles", "ms"),
    ("life_cycle", "ms"),
    ("many_cases", "ms"),
    ("places", "points/s"),
    ("memory", "MiB"),
}
_MARK = {"worse": ("变差", "worse"), "better": ("变好", "better"), "same": ("持平", "same"), "unknown": ("–", "")}
STYLE = """
:root { color-scheme: light; font: 15px/1.5 system-ui, 'Noto Sans CJK SC', sans-serif; color: #1f2937; }
body { max-width: 1120px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 26px; margin: 0; } h2 { font-size: 20px; margin: 40px 0 4px; }
small, .en { color: #6b7280; font-size: 12px; font-weight: 400; }
.en { display: block; } code { font-size: 13px; background: #f3f4f6; padding: 2px 6px; border-radius: 3px; overflow-wrap: anywhere; }
nav a { margin-right: 14px; white-space: nowrap; } a { color: #1d4ed8; }
.charts { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr)); margin: 12px 0; }
figure { overflow-x: auto; margin: 0; border: 1px solid #e5e7eb; border-radius: 6px; padding: 10px; }
table { width: 100%; border-collapse: collapse; } th { text-align: left; font-size: 12px; color: #6b7280; }
th, td { padding: 5px 10px 5px 0; border-top: 1px solid #e5e7eb; vertical-align: middle; } .n { text-align: right; white-space: nowrap; }
.worse, .no { color: #c2410c; font-weight: 600; } .better, .yes { color: #15803d; font-weight: 600; } .none { color: #6b7280; }
@media (max-width: 640px) {
  figure svg { min-width: 560px; }
  thead { display: none; }
  tr { display: flex; flex-wrap: wrap; gap: 2px 18px; align-items: baseline; justify-content: space-between; }
  tr { border-top: 1px solid #e5e7eb; padding: 6px 0; } td { border: 0; padding: 0; } .wide { flex-basis: 100%; }
  .n { text-align: left; white-space: normal; }
}
"""


def command(script: str) -> str:
    return "make soak" if script == "soak" else f".venv/bin/python bench/{script}.py"


def two(zh: str, en: str) -> str:
    return f'{escape(zh)}<span class="en">{escape(en)}</span>'


def charts(figures: Sequence[Figure]) -> list[tuple[str, str]]:
    """(unit, SVG) for each unit of a section that has several figures; times by their 95th or 99th percentile where there are any."""
    found = []
    for unit, group in groupby(sorted(figures, key=lambda f: f.unit), key=lambda f: f.unit):
        mine = list(group)
        if unit == "MiB":
            mine = [f for f in mine if f.name.endswith("_pss")]
        high = [f for f in mine if f.name.endswith(("_p95", "_p99"))]
        shown = (high or mine)[:MOST_BARS]
        if len(shown) > 1:
            found.append((unit, bars(shown, unit)))
    return found


def _crowded(one: Figure) -> str:
    return f' <small title="load {one.now.load}">负载高 crowded</small>' if one.now.crowded else ""


def _row(one: Figure) -> str:
    zh, en = _MARK[one.change]
    before = one.before
    change = "" if before is None or not before else f" {100 * (one.now.value / before - 1):+.0f} %"
    return (
        f'<tr><td class="wide">{two(*words(one.name))}</td><td class="n">{figure(one.now.value)} {escape(one.unit)}{_crowded(one)}</td>'
        f'<td>{line(one)}</td><td class="n {one.change}">{zh}{change}<span class="en">{en}</span></td>'
        f"<td><small>{escape(one.now.commit)} · {one.now.at[:10]}</small></td></tr>"
    )


def _head(*titles: str) -> str:
    """``+`` before a title: a column of figures."""
    cells = "".join(f"<th class='n'>{one[1:]}</th>" if one.startswith("+") else f"<th>{one}</th>" for one in titles)
    return f"<thead><tr>{cells}</tr></thead>"


def _section(script: str, figures: Sequence[Figure]) -> str:
    zh, en = SECTIONS.get(script, (script, script))
    head = _head("项目 figure", "+现值 now", "历史 history", "+变化 change", "提交 commit")
    models = "；".join(sorted({one.now.model for one in figures}))
    drawn = "".join(f"<figure>{svg}</figure>" for _, svg in charts(figures))
    rows = "".join(_row(one) for one in figures)
    return (
        f'<section id="{script}"><h2>{escape(zh)} <small>{escape(en)}</small></h2>'
        f"<p><code>{command(script)}</code> <small>{escape(models)}</small></p>"
        f'<div class="charts">{drawn}</div><table>{head}<tbody>{rows}</tbody></table></section>'
    )


def _wanted(target: Target) -> str:
    if target.than:
        return f"≥ {words(target.than)[0]}"
    return f"≥ {figure(target.least)}" if target.least is not None else f"≤ {figure(target.most or 0)}"


def _target(target: Target, figures: Mapping[str, Figure]) -> str:
    met, mine = target.met(figures), figures.get(target.name)
    word = {True: ("yes", "达到", "met"), False: ("no", "未达到", "not met"), None: ("none", "未测", "not measured")}[met]
    value = f"{figure(mine.now.value)} {escape(mine.unit)}{_crowded(mine)}" if mine else "–"
    section = SECTIONS.get(target.script, (target.script,))[0]
    return (
        f'<tr><td class="wide"><a href="#{target.script}">{escape(section)}</a> · {two(*words(target.name))}</td>'
        f'<td class="n">{value}</td><td class="n">{escape(_wanted(target))}</td>'
        f'<td class="n {word[0]}">{word[1]}<span class="en">{word[2]}</span></td></tr>'
    )


def page(found: Mapping[str, Sequence[Figure]]) -> str:
    order = [s for s in SECTIONS if s in found] + sorted(found.keys() - SECTIONS.keys())
    machines = sorted({one.now.model for figures in found.values() for one in figures})
    by_script = {script: {one.name: one for one in figures} for script, figures in found.items()}
    targets = "".join(_target(t, by_script.get(t.script, {})) for t in TARGETS)
    links = "".join(f'<a href="#{s}">{escape(SECTIONS.get(s, (s,))[0])}</a>' for s in order)
    note = (
        f"变化：与同型号机器以往运行的中位数相比，差 {WORSE:g} 倍以上标为变差；每核负载高于 {CROWDED:g} 的运行画为空心，不参与比较。"
        "<span class='en'>Change: against the median of earlier runs on the same machine model, "
        f"marked when worse by {WORSE:g}×; runs above a load of {CROWDED:g} per core are drawn hollow and compared with nothing.</span>"
    )
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Gridloop 网格闭环 性能 Benchmarks</title><style>{STYLE}</style></head><body>"
        f"<h1>网格闭环 性能 <small>Gridloop benchmarks</small></h1><p>机器 <small>machine</small>：{escape('；'.join(machines)) or '–'}<br>"
        f"全部重测 <small>all again</small>：<code>make bench</code></p><p>{note}</p><nav>{links}</nav>"
        f"<section id='targets'><h2>目标 <small>Targets</small></h2><table>"
        f"{_head('项目 figure', '+现值 now', '+目标 wanted', '+结果 result')}<tbody>{targets}</tbody></table></section>"
        f"{''.join(_section(s, found[s]) for s in order)}</body></html>\n"
    )


def write(results: Path, pictures: Path) -> Path:
    """Page and pictures from the results of a folder; returns the page."""
    found = read(results)
    target = results / "report.html"
    target.write_text(page(found), encoding="utf-8")
    pictures.mkdir(parents=True, exist_ok=True)
    for script, figures in found.items():
        for unit, svg in charts(figures):
            if (script, unit) not in PICTURED:
                continue
            name = "".join(c if c.isalnum() else "-" for c in unit.replace("%", "percent"))
            (pictures / f"bench-{script}-{name}.svg").write_text(svg + "\n", encoding="utf-8")
    return target


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--results", type=Path, default=RESULTS)
    options.add_argument("--pictures", type=Path, default=PICTURES)
    chosen, _ = options.parse_known_args()
    sys.stdout.write(f"{write(chosen.results, chosen.pictures)}\n")


if __name__ == "__main__":
    main()
