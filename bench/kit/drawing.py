"""Charts as SVG text: bars of one unit, and a small line of a figure's history. No script, no font but the reader's own."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from kit.figures import Figure, words

WIDTH, LABEL, BAR, GAP = 720, 330, 18, 10
INK, MUTED, OURS, OTHER, BAD, GRID = "#1f2937", "#6b7280", "#2563eb", "#9ca3af", "#c2410c", "#e5e7eb"
THEIRS = ("mosquitto", "postgis", "raw_copy", "bare_", "baseline")
FONT = "font-family=\"system-ui, 'Noto Sans CJK SC', sans-serif\""


def figure(value: float) -> str:
    """Short enough to stand beside a bar: three digits that count."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"


def is_theirs(name: str) -> bool:
    """What stands beside ours for scale: another program, or a part of ours alone."""
    return any(word in name for word in THEIRS) and "_of_" not in name


def _paint(colour: str, crowded: bool) -> str:
    return f'fill="#fff" stroke="{colour}"' if crowded else f'fill="{colour}"'


def bars(figures: Sequence[Figure], unit: str) -> str:
    """Horizontal bars, longest value the whole width; other programs' in grey."""
    most = max((f.now.value for f in figures), default=0) or 1
    room = WIDTH - LABEL - 110
    height = len(figures) * (2 * BAR + GAP) + 24
    rows = [f'<text x="{WIDTH}" y="14" text-anchor="end" fill="{MUTED}" font-size="12">{escape(unit)}</text>']
    for n, one in enumerate(figures):
        top = 22 + n * (2 * BAR + GAP)
        zh, en = words(one.name)
        long = max(1.0, room * max(0.0, one.now.value) / most)
        colour = OTHER if is_theirs(one.name) else OURS
        rows += [
            f'<text x="0" y="{top + 14}" fill="{INK}" font-size="14">{escape(zh)}</text>',
            f'<text x="0" y="{top + 31}" fill="{MUTED}" font-size="11">{escape(en)}</text>',
            f'<rect x="{LABEL}" y="{top + 4}" width="{long:.1f}" height="{BAR + 6}" rx="2" {_paint(colour, one.now.crowded)}/>',
            f'<text x="{LABEL + long + 6:.1f}" y="{top + 21}" fill="{INK}" font-size="13">{figure(one.now.value)}</text>',
        ]
    if any(one.now.crowded for one in figures):
        height += 20
        rows.append(
            f'<text x="0" y="{height - 8}" fill="{MUTED}" font-size="12">空心：测量时机器繁忙 / hollow: taken on a crowded machine</text>'
        )
    title = "; ".join(f"{words(f.name)[1]}: {figure(f.now.value)} {unit}" for f in figures)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="100%" role="img" {FONT}>'
        f'<title>{escape(title)}</title><rect width="{WIDTH}" height="{height}" fill="#fff"/>{"".join(rows)}</svg>'
    )


def line(one: Figure, width: int = 150, height: int = 34) -> str:
    """The runs from left to right from nought up; crowded ones hollow, the newest larger; each tells value, commit and load."""
    most = max((run.value for run in one.runs), default=0) or 1
    step = (width - 16) / max(1, len(one.runs) - 1)
    spots = [(8 + n * step, height - 6 - (height - 12) * max(0.0, run.value) / most) for n, run in enumerate(one.runs)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    marks = []
    for n, ((x, y), run) in enumerate(zip(spots, one.runs, strict=True)):
        colour = BAD if n == len(spots) - 1 and one.change == "worse" else OURS
        fill = "#fff" if run.crowded else colour
        said = f"{figure(run.value)} {one.unit} · {run.commit} · {run.at[:10]} · load {run.load}"
        marks.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{4 if n == len(spots) - 1 else 2.5}" fill="{fill}" stroke="{colour}">'
            f"<title>{escape(said)}</title></circle>"
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f'<line x1="0" x2="{width}" y1="{height - 6}" y2="{height - 6}" stroke="{GRID}"/>'
        f'<polyline points="{path}" fill="none" stroke="{OTHER}"/>{"".join(marks)}</svg>'
    )
