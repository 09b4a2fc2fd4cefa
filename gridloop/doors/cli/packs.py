"""``gridloop check-packs`` and ``gridloop play-stories``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from gridloop.doors.cli.common import data_dir_option, django_on, refuse_moved_clock, running_environment
from gridloop.doors.cli.faults import refused_as
from gridloop.scenes import catalogue
from gridloop.scenes.folders import is_pack
from gridloop.scenes.loading import Known, Loaded, load, load_all, signal_kinds
from gridloop.scenes.rules import shared, tier, told_detectors
from gridloop.scenes.schema import PUBLISHED, publish
from gridloop.scenes.stories.reading import kinds_of, missing_sorts, stories_of
from gridloop.scenes.stories.running import Result, play_in_memory

_SHOWN = 10  # faults
LANGUAGE = click.option("--lang", type=click.Choice(["zh", "en"]), help="Language of what is said (zh; what is refused in both).")


def _folders(paths: tuple[Path, ...]) -> list[Loaded]:
    """The packs at the paths: a pack's own folder or a folder of packs; without paths those of the program."""
    if not paths:
        return load_all()
    known = Known.of()
    found: list[Loaded] = []
    for path in paths:
        found += [load(path.resolve(), known)] if is_pack(path) else load_all(path.resolve(), known)
    return found


def _need_catalogue(lang: str | None) -> None:
    """Every pack names a type of it: with a catalogue that can not be read there is nothing to check them against."""
    if wrongs := catalogue.faults():
        for wrong in wrongs:
            click.echo(refused_as(lang, wrong.words))
        sys.exit(1)


@click.command("check-packs")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--write-schema", is_flag=True, help="Write docs/reference/pack.schema.json and end.")
@LANGUAGE
def check_packs(paths: tuple[Path, ...], write_schema: bool, lang: str | None) -> None:
    """Check scene packs strictly; prints file:line: what is wrong, or the tier of each pack."""
    if write_schema:
        publish()
        click.echo(str(PUBLISHED))
        return
    _need_catalogue(lang)
    packs = _folders(paths)
    wrongs = [wrong for one in packs for wrong in (*one.wrongs, *stories_of(one)[1], *missing_sorts(one))]
    for wrong in wrongs:
        click.echo(refused_as(lang, wrong.words))
    kinds = signal_kinds()
    named = {one.name for one in packs}
    beside = [one.pack for one in load_all() if one.pack and one.name not in named] if paths else []
    for one in packs:
        if one.pack is not None:
            part = one.pack.pack
            click.echo(f"{one.name} {part.version} {tier(part.needs, kinds_of(one))}: {part.title.zh} / {part.title.en}")
            for detector in told_detectors(one.pack, kinds):
                click.echo(f"    {detector.name}: {detector.sentence_en if lang == 'en' else detector.sentence_zh}")
            for words in shared(one.pack, beside) if paths else ():
                click.echo(f"    note / 注意: {refused_as(lang, words)}", err=True)
    if not packs:
        click.echo("no scene pack found / 没有找到场景包", err=True)
    if wrongs or not packs:
        sys.exit(1)


@click.command("play-stories")
@click.argument("packs", nargs=-1, metavar="[PACK|FOLDER]...")
@click.option("--live", metavar="URL", help="Play over HTTP on the running deployment at this address and compare the facts.")
@click.option("--story", default="", metavar="TEXT", help="Only stories whose file's name begins so, such as 01.")
@LANGUAGE
@data_dir_option
def play_stories(packs: tuple[str, ...], live: str | None, story: str, lang: str | None, data_dir: Path | None) -> None:
    """Play the stories of packs (none named = all) with the real rules in memory, or on a running deployment.

    A pack is named, or its folder given, its stories' folder, or a folder of packs; it stands in for the program's of the same name.
    """
    _need_catalogue(lang)
    loaded, names = _asked(packs)
    asked = [one for one in loaded if not names or one.name in names]
    wrongs = [wrong for one in asked for wrong in (*one.wrongs, *stories_of(one)[1])]
    if wrongs:
        raise click.ClickException("\n".join(refused_as(lang, wrong.words) for wrong in wrongs[:_SHOWN]))
    for one in loaded:
        if one.wrongs:  # somebody is writing it: no reason to keep the others from being played
            click.echo(f"left out / 未载入: {refused_as(lang, one.wrongs[0].words)}", err=True)
    loaded = [one for one in loaded if not one.wrongs]
    _show(_live(loaded, names, live, story, data_dir) if live else play_in_memory(loaded, names, story=story))


def _asked(words: tuple[str, ...]) -> tuple[list[Loaded], tuple[str, ...]]:
    """All packs there are then, and the names of those that were asked for."""
    packs = {one.name: one for one in load_all()}
    names: list[str] = []
    for word in words:
        folder = Path(word)
        if word in packs:
            names.append(word)
        elif not folder.is_dir():
            raise click.ClickException(
                f"no scene pack {word}, and no folder; there are / 没有场景包 {word}，也没有这个文件夹，可用：{', '.join(packs)}"
            )
        else:
            is_stories = folder.resolve().name == "stories" and (folder.resolve().parent / "pack.yaml").is_file()
            found = _folders((folder.resolve().parent if is_stories else folder,))
            if not found:
                raise click.ClickException(f"no scene pack found in {word} / {word} 里没有找到场景包")
            packs |= {one.name: one for one in found}
            names += [one.name for one in found]
    return [packs[name] for name in sorted(packs)], tuple(names)


def _live(loaded: list[Loaded], packs: tuple[str, ...], url: str, story: str, data_dir: Path | None) -> Iterator[Result]:
    """Only on a sample deployment on this machine: its clock is moved and accounts for the stories' people are made."""
    with django_on(data_dir) as deployment:
        if not deployment.read("deployment.json").get("sample"):
            raise click.ClickException("live stories move the clock: sample deployments only / 仅限示例部署")
        refuse_moved_clock(deployment, running_environment(deployment))
        import httpx

        from gridloop.scenes.stories.live import play_live

        try:
            yield from play_live(loaded, packs, url, deployment.folder, story)
        except (httpx.TransportError, httpx.InvalidURL) as fault:
            raise click.ClickException(
                f"{url} does not answer ({fault}): name the address of the running deployment / {url} 没有应答，请写正在运行的部署的地址"
            ) from fault


def _show(results: Iterable[Result]) -> None:
    """Each as soon as it has ended."""
    played = failed = 0
    for one in results:
        played, failed = played + 1, failed + (not one.passed)
        click.echo(f"{'✓' if one.passed else '✗'} {one.pack} · {one.story.kind} · {one.story.title}")
        for failure in one.played.failures:
            click.echo(f"    {one.pack}/stories/{one.file} {failure}")
    if not played:
        raise click.ClickException(
            "no story fits: look at --story and the stories folder of the pack / 没有符合的故事：请核对 --story 和场景包的 stories 文件夹"
        )
    click.echo(f"{played - failed} / {played}")
    if failed:
        sys.exit(1)
