"""What the command line's library says of wrong options and arguments, in both languages as everything else that is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from gridloop.kernel.texts import Words, say

_CHINESE = re.compile("[\u4e00-\u9fff]")
_KINDS = {"integer": "doors.click_integer", "float": "doors.click_number", "UUID": "doors.click_uuid"}
_THINGS = {"File": "doors.click_file", "Directory": "doors.click_folder", "Path": "doors.click_path"}
# The library's sentences (see ``tests/house/test_cli_faults.py``) → ours; what a group caught goes into the sentence.
SENTENCES: tuple[tuple[str, str], ...] = (
    (r"No such option '?(?P<name>[^']+?)'?\.(?: Did you mean '?(?P<meant>[^'?]+)'?\?)?", "doors.click_such_option"),
    (r"No such option '?(?P<name>[^']+?)'?\. \(Did you mean one of: (?P<meant>.+)\?\)", "doors.click_such_option"),
    (r"No such command '?(?P<name>[^']+?)'?\.(?: Did you mean '?(?P<meant>[^'?]+)'?\?)?", "doors.click_such_command"),
    (r"No such command '?(?P<name>[^']+?)'?\. \(Did you mean one of: (?P<meant>.+)\?\)", "doors.click_such_command"),
    (r"Missing argument(?: (?P<name>.+?))?\.(?: Choose from:\n\t(?P<among>.+))?", "doors.click_no_argument"),
    (r"Missing option(?: (?P<name>.+?))?\.(?: Choose from:\n\t(?P<among>.+))?", "doors.click_no_option"),
    (r"Missing parameter(?::? (?P<name>.+?))?\.?(?: Choose from:\n\t(?P<among>.+))?", "doors.click_no_parameter"),
    (r"Missing command\.", "doors.click_no_command"),
    (r"Got unexpected extra arguments? \((?P<args>.*)\)", "doors.click_extra"),
    (r"Option '(?P<name>.+)' requires an argument\.", "doors.click_needs_value"),
    (r"Option '(?P<name>.+)' requires (?P<count>\d+) arguments\.", "doors.click_needs_values"),
    (r"Option '(?P<name>.+)' does not take a value\.", "doors.click_takes_none"),
    (r"Argument '(?P<name>.+)' takes (?P<count>\d+) values\.", "doors.click_needs_values"),
    (r"Takes (?P<count>\d+) values but \d+ (?:was|were) given\.", "doors.click_count"),
    (r"(?P<count>\d+) values are required, but \d+ (?:was|were) given\.", "doors.click_count"),
    (r"Invalid value: (?P<inner>.+)", "doors.click_invalid"),
    (r"Invalid value for (?P<name>.+?): (?P<inner>.+)", "doors.click_invalid_for"),
    (r"(?P<value>'.*'|\".*\") is not (?P<choices>'[^']*')\.", "doors.click_choice"),
    (r"(?P<value>'.*'|\".*\") is not one of (?P<choices>.+)\.", "doors.click_choice"),
    (r"(?P<value>'.*'|\".*\") is not a valid boolean\. Recognized values: (?P<choices>.+)", "doors.click_choice"),
    (r"(?P<value>'.*'|\".*\") is not a valid (?P<kind>integer|float|UUID)(?: range)?\.", "doors.click_kind"),
    (r"(?P<value>'.*'|\".*\") does not match the formats? (?P<choices>.+)\.", "doors.click_format"),
    (r"(?P<value>\S+) is not in the range (?P<choices>.+)\.", "doors.click_range"),
    (r"(?P<thing>File|Directory|Path) (?P<value>'.*'|\".*\") does not exist\.", "doors.click_nothing_there"),
    (r"(?P<thing>File|Directory|Path) (?P<value>'.*'|\".*\") is a file\.", "doors.click_is_file"),
    (r"(?P<thing>File|Directory|Path) (?P<value>'.*'|\".*\") is a directory\.", "doors.click_is_folder"),
    (r"(?P<thing>File|Directory|Path) (?P<value>'.*'|\".*\") is not readable\.", "doors.click_unreadable"),
    (r"(?P<thing>File|Directory|Path) (?P<value>'.*'|\".*\") is not writable\.", "doors.click_unwritable"),
    (r"(?P<thing>File|Directory|Path) (?P<value>'.*'|\".*\") is not executable\.", "doors.click_not_to_run"),
    (r"Could not open file (?P<value>'.*'|\".*\"): (?P<inner>.+)", "doors.click_unopened"),
)
_SENTENCES = tuple((re.compile(sentence, re.DOTALL), key) for sentence, key in SENTENCES)


class Wrong(click.UsageError):
    """A fault of usage that was said in both languages already."""

    def show(self, file: IO[Any] | None = None) -> None:
        if self.ctx is not None:
            click.echo(self.ctx.get_usage(), file=file, err=True)
            params = {"command": f"{self.ctx.command_path} {self.ctx.help_option_names[0]}"} if self.ctx.help_option_names else {}
            if params:
                click.echo(f"{say('doors.click_try', 'en', **params)} / {say('doors.click_try', 'zh', **params)}\n", file=file, err=True)
        click.echo(f"Error: {self.message}", file=file, err=True)


def refused(lang: str | None, key: str, **params: Any) -> str:
    """In the language that was asked for; nobody has said which one: in both."""
    return say(key, lang, **params) if lang else f"{say(key, 'en', **params)} / {say(key, 'zh', **params)}"


def refused_as(lang: str | None, words: Words) -> str:
    """The same of words that are already put together, such as a file's fault with its line."""
    return refused(lang, words.key, **dict(words.params))


@contextmanager
def in_both_languages() -> Iterator[None]:
    """Around whatever reads the command line: the library's faults leave it in both languages, our own as they are."""
    try:
        yield
    except Wrong:
        raise
    except click.UsageError as fault:
        raise Wrong(both(fault.format_message()), fault.ctx) from fault
    except click.FileError as fault:
        raise click.ClickException(both(fault.format_message())) from fault


def both(said: str) -> str:
    """What the library says, with the Chinese behind it; as it is when it holds both, or we do not know the sentence."""
    chinese = _chinese(said)
    return f"{_english(said)} / {chinese}" if chinese else said


def _english(said: str) -> str:
    """Without the Chinese half of a sentence of our own that the library has put into one of its."""
    head, mark, tail = said.rpartition(" / ")
    return head if mark and _CHINESE.search(tail) else said


def _chinese(said: str) -> str:
    for sentence, key in _SENTENCES:
        if (found := sentence.fullmatch(said)) is not None:
            return _told(key, {name: value for name, value in found.groupdict().items() if value})
    return ""


def _told(key: str, params: dict[str, str]) -> str:
    if "inner" in params:
        _, mark, own = params["inner"].rpartition(" / ")
        params["inner"] = own if mark and _CHINESE.search(own) else _chinese(params["inner"]) or params["inner"]
    if "kind" in params:
        params["kind"] = say(_KINDS[params["kind"]])
    if "thing" in params:
        params["thing"] = say(_THINGS[params["thing"]])
    more = ""
    if "meant" in params:
        more = say("doors.click_meant", "zh", meant=params["meant"])
    if "among" in params:
        more = say("doors.click_choose", "zh", choices=re.sub(r",\s+", ", ", params["among"]))
    return say(key, "zh", **{"name": "", **params}) + more
