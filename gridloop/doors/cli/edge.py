"""The edge server's configuration: one public port, each path to the process that serves it (decision 0001)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gridloop.doors.cli.deployment import ROOT
from gridloop.kernel.headers import HEADERS, STRICT_TRANSPORT

SIGNALS_LIMIT, OTHER_LIMIT = "16MB", "30MB"

# Paths of the application server; anything else that a browser asks for as a page belongs to the desk.
_WEB = (
    "/api /api/* /_allauth/* /login /login/* /logout /logout/* /accounts/* /identity/* /.well-known/* "
    "/open311/* /cap/* /healthz /readyz /track/*"
)


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
    strict_transport: bool = False  # the public address is HTTPS with a certificate that browsers trust
    behind_proxy: bool = False  # believe what a proxy on a private address says about the caller and about HTTPS

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
            tls="tls internal" if self.tls else "",
            bind=self.bind,
            trusted="trusted_proxies static private_ranges\n\t\ttrusted_proxies_strict" if self.behind_proxy else "",
            headers="\n\t\t".join(self._headers()),
            web_paths=_WEB,
            signals_limit=SIGNALS_LIMIT,
            other_limit=OTHER_LIMIT,
            web=f"unix/{self.sockets}/web.sock",
            push=f"unix/{self.sockets}/push.sock",
            ingest=f"unix/{self.sockets}/ingest.sock",
            dist=ROOT / "web" / "dist",
            pages=ROOT / "gridloop" / "doors" / "http" / "static",
            docs=_docs_static(),
            static=self.data / "static",
            storage=self.data / "caddy",
        )


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
			wrap console
			fields {{
				request>uri query {{
					replace key ***
					replace pass ***
					replace token ***
					replace code ***
					replace state ***
				}}
				request>headers>Referer delete
				request>headers>X-Csrftoken delete
			}}
		}}
	}}
	servers {{
		{trusted}
		timeouts {{
			read_header 15s
			read_body 5m
			idle 3m
		}}
	}}
}}

(app) {{
	reverse_proxy {web} {{
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
	}}

	handle /api/v1/live {{
		reverse_proxy {push} {{
			flush_interval -1
			lb_try_duration 8s
			lb_try_interval 100ms
		}}
	}}
	handle /api/v1/signals {{
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
		request_body {{
			max_size {other_limit}
		}}

		@far_metrics {{
			path /metrics
			not client_ip private_ranges
		}}
		respond @far_metrics 403
		handle /metrics {{
			reverse_proxy {ingest}
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
			not path /
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
