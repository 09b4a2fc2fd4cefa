"""One guarded way out: HTTP to services an administrator named, never by accident into the house's own network.

The name is resolved once, every address is judged, and the connection is made to the judged one (the name stays in TLS and ``Host``), so a
name that answers differently a moment later gains nothing. No redirects, no proxies of the environment, limits on time and size.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import time
from collections.abc import Mapping
from typing import Any

import httpx

MOST_BYTES = 1 << 20
_SCHEMES = ("http", "https")
_UNICAST = ipaddress.IPv6Network("2000::/3")  # all that is given out; beyond it old forms lead into a house (::10.0.0.1, fec0::1)


class Refused(Exception):
    """The address is not one to call: says which and how to allow it."""


def allowed_hosts() -> frozenset[str]:
    """Hosts inside the house that may be called: ``GRIDLOOP_OUTGOING_HOSTS``, as ``host`` or ``host:port``, comma separated."""
    return frozenset(h.strip().lower() for h in os.environ.get("GRIDLOOP_OUTGOING_HOSTS", "").split(",") if h.strip())


def public(address: str) -> bool:
    """Whether an address lies out in the Internet: not private, link-local (cloud metadata), shared, loopback, multicast or reserved.

    An IPv4 address inside an IPv6 one (mapped, 6to4, Teredo, NAT64) is judged as the IPv4 address.
    """
    found: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and found in ipaddress.IPv6Network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return public(str(inner))
        if found not in _UNICAST:
            return False
    return found.is_global and not found.is_multicast


def resolved(url: str, extra: frozenset[str] = frozenset()) -> tuple[httpx.URL, str]:
    """The URL and the one address to connect to; Refused unless all of the host's addresses are public or the host is allowed.

    ``extra``: hosts the administrator named by another setting, such as the assistant's own address.
    """
    try:
        target = httpx.URL(url)
    except httpx.InvalidURL as fault:
        raise Refused(str(fault)) from fault
    if target.scheme not in _SCHEMES or not target.host:
        raise Refused(f"{target.scheme or 'no scheme'}: only http and https addresses are called")
    port = target.port or {"http": 80, "https": 443}[target.scheme]
    try:
        found = [str(info[4][0]) for info in socket.getaddrinfo(target.host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as fault:
        raise Refused(f"{target.host} is not known: {type(fault).__name__}") from fault
    trusted = {target.host.lower(), f"{target.host.lower()}:{port}"} & (allowed_hosts() | extra)
    if not trusted and (not found or not all(public(address) for address in found)):
        raise Refused(f"{target.host} lies in the house's own network: name it in GRIDLOOP_OUTGOING_HOSTS to allow it")
    return target, found[0]


def post(
    url: str, *, json: Any, headers: Mapping[str, str] | None = None, timeout: float, trusted: frozenset[str] = frozenset()
) -> httpx.Response:
    """POST as JSON, the answer read to at most 1 MB. Refused before anything is sent; ``httpx.HTTPError`` for what fails on the way.

    ``timeout``: seconds for each step of the way to the answer, and for the whole of its body, however it drips.
    """
    target, address = resolved(url, trusted)
    pinned = target.copy_with(host=address)
    own = {**(headers or {}), "Host": target.netloc.decode()}
    name = target.host if target.scheme == "https" else None
    with httpx.Client(trust_env=False, follow_redirects=False, timeout=timeout) as client:
        request = client.build_request("POST", pinned, json=json, headers=own, extensions={"sni_hostname": name} if name else {})
        answer = client.send(request, stream=True)
        try:
            content, end = b"", time.monotonic() + timeout
            for part in answer.iter_bytes():
                content += part
                if len(content) > MOST_BYTES:
                    raise Refused("the answer is too long")
                if time.monotonic() > end:
                    raise httpx.ReadTimeout("the answer does not end", request=request)
        finally:
            answer.close()
    if answer.is_redirect:
        raise Refused(f"{target.host} sends to another address, which is not followed")
    return httpx.Response(answer.status_code, content=content, request=request)
