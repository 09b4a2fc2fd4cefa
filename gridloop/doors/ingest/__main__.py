"""The ingest process: ``python -m gridloop.doors.ingest --uds PATH`` (or ``--port``), environment from the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import click
import uvicorn
import uvloop

from gridloop.doors.ingest.app import SignalsApp
from gridloop.doors.ingest.auth import Senders
from gridloop.doors.ingest.connection import KeptConnection
from gridloop.doors.ingest.writer import Writer
from gridloop.signals.log import PostgresLog

STOP_SECONDS = 5


@click.command()
@click.option("--uds", type=click.Path(path_type=Path), help="listen on this Unix socket")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=8002, show_default=True, help="listen here when there is no --uds")
def main(uds: Path | None, host: str, port: int) -> None:
    """Take signals by HTTP and MQTT into the signal log."""
    url = os.environ.get("GRIDLOOP_INGEST_URL")
    if not url:
        raise click.ClickException("GRIDLOOP_INGEST_URL is not set: start with `gridloop up`, or give the URL of role gridloop_ingest")
    where: dict[str, object] = {"uds": str(uds)} if uds else {"host": host, "port": port}
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(url, where))


async def serve(url: str, where: dict[str, object]) -> None:
    """Run until SIGTERM or SIGINT: first the door closes, then what was taken is written."""
    writer = Writer(PostgresLog(KeptConnection(url, "gridloop-ingest")))
    senders = Senders(KeptConnection(url, "gridloop-ingest-auth"))
    config = uvicorn.Config(
        SignalsApp(writer, senders),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=STOP_SECONDS,
        h11_max_incomplete_event_size=64 * 1024,
        **where,  # type: ignore[arg-type]  # uds, or host and port
    )
    server = uvicorn.Server(config)
    tasks = [asyncio.create_task(writer.run(), name="writer")]
    serving = asyncio.create_task(server.serve(), name="http")
    done, _ = await asyncio.wait([serving, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for task in done:
        task.result()  # a task that ended by itself has a fault to show; the supervisor starts us again


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    main()
