"""What ``gridloop restore`` proves of what it has restored: the trace, evidence against its rows, the log against its readers."""

from __future__ import annotations

from pathlib import Path

import click

from gridloop.doors.cli.common import django_on


def prove(data_dir: Path) -> list[str]:
    """Every fault in one line, both languages; prints what holds."""
    with django_on(data_dir):
        from gridloop.access import sealing
        from gridloop.evidence.selectors import broken_files
        from gridloop.journal.selectors import verify
        from gridloop.kernel.viewer import SYSTEM
        from gridloop.signals.selectors import log_faults

        faults = []
        count, broken = verify(SYSTEM)
        if broken is not None:
            faults.append(f"trace / 留痕: {broken.where}: {broken.why}")
        files, wrong = broken_files(SYSTEM)
        faults += [f"evidence / 证据 {number}: the file is missing or has another hash / 文件缺失或哈希不符" for number in wrong]
        faults += [f"signal log / 信号日志: {why}" for why in log_faults(SYSTEM)]
        if not faults:
            click.echo(
                f"  verified: {count} facts, {files} evidence files, signal log / 校验一致: {count} 条事实、{files} 个证据文件、信号日志"
            )
        if lost := len(sealing.unreadable()):
            click.echo(
                f"  second factors of {lost} accounts are sealed under another deployment's key: set GRIDLOOP_FACTOR_KEY to the factor_key"
                " of its secrets.json, or take them off with gridloop end-factors --unreadable"
                f" / {lost} 个账号的二次验证由原部署的密钥加密：请把 GRIDLOOP_FACTOR_KEY 设为原 secrets.json 中的 factor_key，"
                "或用 gridloop end-factors --unreadable 解除"
            )
        return faults
