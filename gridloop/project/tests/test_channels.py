"""Which adapter carries which kind."""

from __future__ import annotations

from typing import Any

import pytest

from gridloop.adapters.channels.apprise.channel import AppriseChannel
from gridloop.adapters.channels.file.channel import FileChannel
from gridloop.kernel import plain_yaml
from gridloop.project.adapters import installed
from gridloop.project.channels import BOOK
from gridloop.sdk.channels import KINDS, real_channels


def test_the_file_outbox_is_the_default_of_every_kind() -> None:
    assert {type(BOOK.channel(kind)) for kind in KINDS} == {FileChannel}
    assert len(BOOK.all()) == 1
    assert real_channels() == []


def test_a_kind_can_use_a_real_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLOOP_CHANNEL_SMS", "apprise:json://127.0.0.1:9/{to}")
    assert isinstance(BOOK.channel("sms"), AppriseChannel)
    assert isinstance(BOOK.channel("app"), FileChannel)
    assert real_channels() == ["apprise"]


def test_what_is_not_installed_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLOOP_CHANNEL_APP", "pigeon:")
    with pytest.raises(ValueError, match=r"pigeon.*apprise, console, file"):
        BOOK.channel("app")
    with pytest.raises(ValueError, match="no such kind"):
        BOOK.channel("smoke")


@pytest.mark.parametrize("name", sorted(installed("channel")))
def test_every_channel_folder_is_complete(name: str) -> None:
    folder = installed("channel")[name].parent
    manifest: dict[str, Any] = plain_yaml.read(folder / "manifest.yaml")
    assert manifest["id"] == name
    assert set(manifest["kinds"]) <= set(KINDS)
    assert manifest["real"] is (name not in ("file", "console"))
    assert {"zh", "en"} == set(manifest["title"])
    assert all((folder / part).exists() for part in ("channel.py", "README.md", "tests/test_channel.py"))
