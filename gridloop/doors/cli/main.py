"""``gridloop``: every command in one table, imported only when it is called, so that ``--help`` answers at once."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from gridloop.doors.cli import settings_files
from gridloop.doors.cli.faults import in_both_languages
from gridloop.doors.cli.loading import loading

# name: (module:command, one line for --help)
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("gridloop.doors.cli.up:up", "Start everything; Ctrl-C ends it."),
    "web": ("gridloop.doors.cli.processes:web", "Run the web process alone."),
    "push": ("gridloop.doors.cli.processes:push", "Run the push process alone."),
    "ingest": ("gridloop.doors.cli.processes:ingest", "Run the ingest process alone."),
    "worker": ("gridloop.doors.cli.processes:worker", "Run the worker process alone."),
    "prepare": ("gridloop.doors.cli.prepare:prepare", "Migrate, install packs, load the sample county (done by up)."),
    "migrate": ("gridloop.doors.cli.prepare:migrate", "Bring the database schema up to date."),
    "token": ("gridloop.doors.cli.admin:token", "Print an API token of a user."),
    "import": ("gridloop.doors.cli.imports:import_table", "Import regions, units, people, houses, enterprises, devices from files."),
    "train": ("gridloop.doors.cli.train:train", "Train the proposals from all decided cases."),
    "end-factors": ("gridloop.doors.cli.admin:end_factors", "Take off lost second factors."),
    "erase": ("gridloop.doors.cli.erase:erase", "Erase a person or a case's reporter everywhere."),
    "retention": ("gridloop.doors.cli.retention:retention", "Remove what is kept long enough, or count it."),
    "verify": ("gridloop.doors.cli.admin:verify", "Re-compute the hash chain of the trace."),
    "doctor": ("gridloop.doors.cli.doctor:doctor", "What is configured, reachable, behind, silent."),
    "check-packs": ("gridloop.doors.cli.packs:check_packs", "Check scene packs strictly."),
    "play-stories": ("gridloop.doors.cli.packs:play_stories", "Play the stories of scene packs, in memory or on a running deployment."),
    "detect": ("gridloop.doors.cli.detect:detect", "Run detectors over files of readings."),
    "rehearse": ("gridloop.doors.cli.rehearse:rehearse", "Run a scene's detectors over the past before they are put to work."),
    "adapters": ("gridloop.doors.cli.adapters:adapters", "List what platforms push to us; try a captured push."),
    "gateway": ("gridloop.doors.cli.gateway:gateway", "Read Modbus, OPC UA and lines of text near the devices and send them."),
    "simulate": ("gridloop.doors.cli.simulate:simulate", "Let the sample county live in a running deployment."),
    "replay": ("gridloop.doors.cli.replay:replay", "Feed recorded real data into a running deployment."),
    "backup": ("gridloop.doors.cli.backup:backup", "Write one consistent file."),
    "restore": ("gridloop.doors.cli.backup:restore", "Restore such a file into an empty deployment."),
}


class LazyGroup(click.Group):
    """Commands by name from ``COMMANDS``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        with loading():
            _structlog_without_rich()
            command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        with in_both_languages():
            return super().make_context(*arguments, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with in_both_languages():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _structlog_without_rich() -> None:
    """structlog brings rich for lines in colour wherever rich is installed, 100 ms of each process, and has no word to refuse it.

    Our lines have no colour: while structlog is loaded rich is not to be had; who draws tables with rich gets it afterwards.
    """
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # Python's own way to say that an import fails
    try:
        importlib.import_module("structlog")
    finally:
        del sys.modules["rich"]


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="gridloop")
def cli() -> None:
    """Gridloop 网格闭环: one loop from signal to proven end."""


def main(arguments: list[str] | None = None) -> Any:
    """Entry point. Faults people can mend end with one line and exit status 1; others keep their traceback."""
    from gridloop.kernel.errors import Fault
    from gridloop.kernel.texts import say

    try:
        settings_files.read()
    except click.ClickException as fault:
        fault.show()
        sys.exit(fault.exit_code)
    try:
        return cli.main(args=arguments, prog_name="gridloop")
    except Fault as fault:
        click.echo(f"Error: {say(fault.key, 'zh', **fault.params)} / {say(fault.key, 'en', **fault.params)}", err=True)
        for wrong in fault.errors:
            click.echo(f"  {wrong.pointer}: {say(wrong.key, 'zh', **wrong.params)} / {say(wrong.key, 'en', **wrong.params)}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
