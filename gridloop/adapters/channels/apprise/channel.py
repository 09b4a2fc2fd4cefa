"""One Apprise service per kind, built anew for each recipient because the address is part of the service's URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import apprise

from gridloop.sdk.channels import TIMEOUT_SECONDS, ChannelError, Message, Receipt


class AppriseChannel:
    """Raises ``ValueError`` at once when Apprise does not know the URL."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._service("10000000000")

    def _service(self, to: str) -> apprise.Apprise:
        service = apprise.Apprise()
        url = self._url.replace("{to}", quote(to, safe=""))
        join = "&" if "?" in url else "?"
        if not service.add(f"{url}{join}cto={TIMEOUT_SECONDS / 3:g}&rto={TIMEOUT_SECONDS / 2:g}"):
            raise ValueError(f"Apprise does not understand this service URL: {self._url.partition('://')[0]}://…")
        return service

    def send(self, message: Message) -> Receipt:
        if "{to}" in self._url and not message.to:
            raise ChannelError("no address", permanent=True)
        if not self._service(message.to).notify(body=message.text, body_format=apprise.NotifyFormat.TEXT):
            raise ChannelError("the service did not take the message")
        return Receipt()


def build(address: str, data_dir: Path) -> AppriseChannel:
    """``address`` is the service's URL."""
    return AppriseChannel(address)
