"""One Apprise service per kind, built anew for each recipient because the address is part of the service's URL."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import apprise

from gridloop.sdk import outgoing
from gridloop.sdk.channels import TIMEOUT_SECONDS, ChannelError, Message, Receipt

# Apprise services whose host the administrator writes; all others call the fixed address of their vendor.
_OWN_HOST = frozenset({"json", "jsons", "xml", "xmls", "form", "forms", "apprise", "apprises", "gotify", "gotifys", "ntfy", "ntfys"})


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
        service = self._service(message.to)
        for one in service:
            _guard(one)
        if not service.notify(body=message.text, body_format=apprise.NotifyFormat.TEXT):
            raise ChannelError("the service did not take the message")
        return Receipt()


def _guard(one: Any) -> None:
    """Services with an address of one's own (webhooks and the like) must not reach into the house; redirects are not followed."""
    one.redirects = False
    if getattr(one, "host", None) and _OWN_HOST & set(one.schemas()):
        scheme, port = ("https" if one.secure else "http"), f":{one.port}" if one.port else ""
        try:
            outgoing.resolved(f"{scheme}://{one.host}{port}/")
        except outgoing.Refused as fault:
            raise ChannelError(str(fault), permanent=True) from fault


def build(address: str, data_dir: Path) -> AppriseChannel:
    """``address`` is the service's URL."""
    return AppriseChannel(address)
