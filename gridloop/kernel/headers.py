"""The headers every answer to a browser carries: written once, set by the front door and by Django alike.

Scripts, styles and workers come from files of our own origin. Style *attributes* alone are allowed: the charts' tooltips and the API
description write them into markup; an attribute cannot load a script, and ``default-src 'self'`` keeps its addresses here.
"""

from __future__ import annotations

from typing import Final

POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "script-src-attr 'none'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",
        "worker-src 'self'",
        "img-src 'self' data: blob:",  # small pictures of the styles; photos before they are sent
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "frame-src 'none'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
# A file that somebody sent: whatever it is, it runs nothing, loads nothing and belongs to no origin.
FILE_POLICY: Final = "sandbox; default-src 'none'; frame-ancestors 'none'"
HEADERS: Final[dict[str, str]] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # the key of a reporter's page stands in its address
    "Permissions-Policy": "camera=(self), geolocation=(self), microphone=(self), payment=(), usb=(), serial=(), midi=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Only for a name with a certificate that browsers trust: a local one changes, and ``localhost`` belongs to other programs, too.
STRICT_TRANSPORT: Final = "max-age=31536000"
