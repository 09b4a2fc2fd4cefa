"""The edge server's configuration: one public port, each path to the process that serves it (decision 0001)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path

import click
import orjson

from gridloop.doors.cli.deployment import ROOT
from gridloop.doors.logs import as_json
from gridloop.kernel.headers import HEADERS, STRICT_TRANSPORT
from gridloop.kernel.texts import LANGUAGES, say

# A body whose length is said is refused before it is read (the patterns), one that comes in pieces when it goes over (bytes).
# The processes behind have limits of their own and say them better; these are a little wider.
SIGNALS_LIMIT, SIGNALS_OVER = 20_000_000, "^([0-9]{9,}|[2-9][0-9]{7})$"
BODY_LIMIT, BODY_OVER = 12_000_000, "^([0-9]{9,}|[2-9][0-9]{7}|1[2-9][0-9]{6})$"
FORM_LIMIT, FORM_OVER = 30_000_000, "^([0-9]{9,}|[3-9][0-9]{7})$"
_REFUSALS = {
    413: "doors.body_too_large",
    408: "doors.too_slow",
    502: "doors.server_away",
    503: "doors.server_away",
    504: "doors.server_away",
}

LOOPBACK = ("127.0.0.0/8", "::1/128")
# Paths of the application server; anything else that a browser asks for as a page belongs to the desk.
_WEB = (
    "/api /api/* /_allauth/* /login /login/* /logout /logout/* /accounts/* /identity/* /.well-known/* "
    "/open311/* /cap/* /healthz /readyz /track/*"
)


def metrics_from() -> tuple[str, ...]:
    """``GRIDLOOP_METRICS_FROM``: networks whose callers may read ``/metrics``, this machine always; a wrong one stops the start."""
    wanted = [word.strip() for word in os.environ.get("GRIDLOOP_METRICS_FROM", "").split(",") if word.strip()]
    try:
        return LOOPBACK + tuple(str(ip_network(word, strict=False)) for word in wanted)
    except ValueError as fault:
        raise click.ClickException(
            f"GRIDLOOP_METRICS_FROM: {fault}; networks such as 10.0.0.0/8, comma separated / 应为以逗号分隔的网段"
        ) from fault


def _docs_static() -> Path:
    """The scripts of ``/api/docs`` inside the API library, found without importing it (it wants Django's settings)."""
    spec = find_spec("ninja")
    if spec is None or spec.origin is None:
        raise RuntimeError("django-ninja is missing: run `make install`")
    return Path(spec.origin).parent / "static"


@dataclass(frozen=True)
class Edge:
    """What the edge needs to know. ``sockets`` holds web.sock, push.sock and ingest.sock."""

    port: int
    bind: str
    sockets: Path
    data: Path
    names: tuple[str, ...] = ()  # with ``tls``: the names and addresses the local certificate is for
    tls: bool = False
    metrics_from: tuple[str, ...] = LOOPBACK  # who may read /metrics: networks
    strict_transport: bool = False  # the public address is HTTPS with a certificate that browsers trust
    behind_proxy: bool = False  # believe what a proxy on a private address says about the caller and about HTTPS
    header_seconds: int = 15  # a request whose head drips is cut then
    body_seconds: int = 180  # the same for a whole request: 25 MB of pictures over 1 Mbit/s

    def _site(self) -> str:
        if self.tls:
            return ", ".join(f"https://{name}:{self.port}" for name in self.names)
        return f"http://:{self.port}"

    def _headers(self) -> list[str]:
        """One line a header; ``?`` leaves alone what the process behind has set."""
        strict = {"Strict-Transport-Security": STRICT_TRANSPORT} if self.strict_transport else {}
        return [f"?{name} `{value}`" for name, value in (HEADERS | strict).items()]

    def text(self) -> str:
        """The Caddyfile."""
        return _TEMPLATE.format(
            site=self._site(),
            metrics_from=" ".join(self.metrics_from),
            log_format="json" if as_json() else "console",
            tls="tls internal" if self.tls else "",
            bind=self.bind,
            trusted="trusted_proxies static private_ranges\n\t\ttrusted_proxies_strict" if self.behind_proxy else "",
            headers="\n\t\t".join(self._headers()),
            web_paths=_WEB,
            signals_limit=SIGNALS_LIMIT,
            signals_over=SIGNALS_OVER,
            body_limit=BODY_LIMIT,
            body_over=BODY_OVER,
            form_limit=FORM_LIMIT,
            form_over=FORM_OVER,
            whole=FORM_LIMIT + 1,
            header_seconds=self.header_seconds,
            body_seconds=self.body_seconds,
            errors=_errors(),
            web=f"unix/{self.sockets}/web.sock",
            push=f"unix/{self.sockets}/push.sock",
            ingest=f"unix/{self.sockets}/ingest.sock",
            dist=ROOT / "web" / "dist",
            pages=ROOT / "gridloop" / "doors" / "http" / "static",
            docs=_docs_static(),
            static=self.data / "static",
            storage=self.data / "caddy",
        )


def _errors() -> str:
    """What the edge itself refuses, as the problem documents the processes behind would give; English where it is asked for first."""
    told = [
        "\t\t@english header_regexp Accept-Language (?i)^\\s*en\n",
        "\t\t@signals path /api/v1/signals\n",
        "\t\t@form header Content-Type multipart/form-data*\n",
    ]
    for status, key in _REFUSALS.items():
        answered = 503 if status in (502, 504) else status
        told.append(f"\t\t@s{status} expression {{http.error.status_code}} == {status}\n\t\thandle @s{status} {{\n")
        told += ["\t\t\theader Retry-After 5\n"] if answered == 503 else []
        for kind, limit in ((" @signals", 16), (" @form", FORM_LIMIT // 10**6), ("", BODY_LIMIT // 10**6))[0 if status == 413 else 2 :]:
            told.append(f"\t\t\thandle{kind} {{\n{_by_language(answered, key, limit)}\t\t\t}}\n")
        told.append("\t\t}\n")
    return "".join(told)


def _by_language(status: int, key: str, limit: int) -> str:
    bodies = {}
    for lang in LANGUAGES:
        title, detail = say(f"doors.status_{status}", lang), say(key, lang, limit=limit)
        bodies[lang] = orjson.dumps({"type": f"urn:gridloop:{key}", "title": title, "status": status, "detail": detail, "errors": []})
    head = "\t\t\t\t\theader Content-Type application/problem+json\n"
    english = f"\t\t\t\thandle @english {{\n{head}\t\t\t\t\trespond `{bodies['en'].decode()}` {status}\n\t\t\t\t}}\n"
    return english + f"\t\t\t\thandle {{\n{head}\t\t\t\t\trespond `{bodies['zh'].decode()}` {status}\n\t\t\t\t}}\n"


_TEMPLATE = """\
{{
	admin off
	persist_config off
	skip_install_trust
	auto_https disable_redirects
	storage file_system "{storage}"
	grace_period 5s
	log {{
		level INFO
		format filter {{
			request>headers delete
			request>uri query {{
				replace key REDACTED
				replace pass REDACTED
				replace token REDACTED
				replace code REDACTED
				replace state REDACTED
				replace q REDACTED
				replace reason REDACTED
			}}
			wrap {log_format}
		}}
	}}
	servers {{
		{trusted}
		timeouts {{
			read_header {header_seconds}s
			read_body {body_seconds}s
			idle 3m
		}}
	}}
}}

# a body is whole before it goes on: one that drips holds a connection here, not a thread of the application
(app) {{
	reverse_proxy {web} {{
		header_up X-Request-Start {{time.now.unix_ms}}
		request_buffers {whole}
		lb_try_duration 8s
		lb_try_interval 100ms
	}}
}}

{site} {{
	bind {bind}
	{tls}
	header {{
		{headers}
		-Server
		-Via
	}}

	handle /api/v1/live {{
		reverse_proxy {push} {{
			flush_interval -1
			lb_try_duration 8s
			lb_try_interval 100ms
		}}
	}}
	handle_errors {{
		header {{
			{headers}
			-Server
			-Via
		}}
{errors}	}}
	handle /api/v1/signals {{
		@over header_regexp Content-Length {signals_over}
		error @over 413
		request_body {{
			max_size {signals_limit}
		}}
		reverse_proxy {ingest} {{
			lb_try_duration 8s
			lb_try_interval 100ms
		}}
	}}

	route {{
		encode zstd gzip
		@form header Content-Type multipart/form-data*
		@form_over {{
			header Content-Type multipart/form-data*
			header_regexp Content-Length {form_over}
		}}
		@plain_over {{
			not header Content-Type multipart/form-data*
			header_regexp Content-Length {body_over}
		}}
		error @form_over 413
		error @plain_over 413
		request_body @form {{
			max_size {form_limit}
		}}
		@plain not header Content-Type multipart/form-data*
		request_body @plain {{
			max_size {body_limit}
		}}

		@far_metrics {{
			path /metrics
			not remote_ip {metrics_from}
		}}
		respond @far_metrics 403
		# whoever comes through a proxy: the figures are read at our own port
		@proxied_metrics {{
			path /metrics
			header X-Forwarded-For *
		}}
		respond @proxied_metrics 403
		handle /metrics {{
			import app
		}}

		handle /local-ca.crt {{
			root * "{storage}/pki/authorities/local"
			rewrite * /root.crt
			header Content-Type application/x-x509-ca-cert
			file_server
		}}
		handle /assets/* {{
			root * "{dist}"
			header Cache-Control "public, max-age=31536000, immutable"
			file_server
		}}
		handle_path /static/* {{
			@made file {{
				root "{static}"
			}}
			handle @made {{
				root * "{static}"
				file_server
			}}
			@built file {{
				root "{dist}/static"
			}}
			handle @built {{
				root * "{dist}/static"
				file_server
			}}
			@pages file {{
				root "{pages}"
			}}
			handle @pages {{
				root * "{pages}"
				file_server
			}}
			@docs file {{
				root "{docs}"
			}}
			handle @docs {{
				root * "{docs}"
				file_server
			}}
			handle {{
				rewrite * /static{{uri}}
				import app
			}}
		}}

		@track_page {{
			method GET
			path /track/*
			header Accept *text/html*
		}}
		handle @track_page {{
			root * "{dist}"
			rewrite * /m/index.html
			header Cache-Control no-cache
			file_server
		}}
		redir /m /m/ 308
		handle /m/* {{
			root * "{dist}"
			try_files {{path}} /m/index.html
			@fresh not path /m/assets/*
			header @fresh Cache-Control no-cache
			@kept path /m/assets/*
			header @kept Cache-Control "public, max-age=31536000, immutable"
			file_server
		}}
		@app path {web_paths}
		handle @app {{
			import app
		}}
		@file {{
			method GET HEAD
			file {{
				root "{dist}"
			}}
			not path / /.* */.*
		}}
		handle @file {{
			root * "{dist}"
			file_server
		}}
		@page {{
			method GET HEAD
			header Accept *text/html*
		}}
		handle @page {{
			root * "{dist}"
			rewrite * /index.html
			header Cache-Control no-cache
			file_server
		}}
		handle {{
			import app
		}}
	}}
}}
"""
