"""``gridloop train``: make the learners of proposals anew from all decided cases, and say how good they are."""

from __future__ import annotations

from pathlib import Path

import click

from gridloop.doors.cli.common import data_dir_option, django_on

HEADS = {"type": "类型 type", "unit": "主办 unit", "severity": "等级 level"}
LABELS_SHOWN = 12


@click.command()
@data_dir_option
def train(data_dir: Path | None) -> None:
    """Train the proposals from the newest decided cases (the worker does so daily) and print how good they are.

    The newest fifth of the cases is guessed before it is learned; that is what the report counts.
    """
    with django_on(data_dir):
        from rich.console import Console
        from rich.progress import Progress
        from rich.table import Table

        from gridloop.cases import learning
        from gridloop.cases.types import type_name

        with Progress(transient=True) as bar:
            task = bar.add_task("learning / 学习", total=None)
            report = learning.train(lambda done, total: bar.update(task, completed=done, total=total))
        table = Table("", "件 cases", "类 kinds", "测 tested", "对 right", "前三 top 3", "失准 error")
        for head, found in report.heads.items():
            shares = [f"{n / found.tested:.1%}" if found.tested else "–" for n in (found.right, found.in_three)]
            table.add_row(HEADS[head], str(found.examples), str(found.labels), str(found.tested), *shares, f"{found.calibration_error:.3f}")
        console = Console()
        console.print(table)
        most = sorted(report.heads["type"].by_label.items(), key=lambda item: -item[1][0])[:LABELS_SHOWN]
        for code, (tested, right) in most:
            console.print(f"  {code} {type_name(code, 'zh')}: {right}/{tested}")
        console.print(f"{report.seconds:.1f} s")
