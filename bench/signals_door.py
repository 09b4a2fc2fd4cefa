"""Signals through the open doors of the whole product, and what the same batches cost without it, in turns within one run.

HTTP batches of 500 (NDJSON and JSON, gzip and not) beside the bare append of the product's own log into its own database, beside ``COPY``
into a plain table of that database and beside JetStream alone; posts of one signal each; MQTT QoS 1 beside Debian's mosquitto.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import statistics
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from kit import senders
from kit.record import record
from kit.running import Callers, product, settled
from kit.servers import bare_nats, installed, mosquitto

HTTP = {  # name → NDJSON, gzip
    "signals_http_ndjson": (True, False),
    "signals_http_ndjson_gzip": (True, True),
    "signals_http_json": (False, False),
    "signals_http_json_gzip": (False, True),
}
BATCHES, SINGLES, MESSAGES = 200, 600, 1_600
SINGLE_CONNECTIONS, MQTT_DEVICES = 16, 4

Ways = dict[str, Callable[[int], float]]


def meters(callers: Callers) -> list[tuple[str, str]]:
    """New devices with a log-in of their own."""
    made = []
    for number in range(MQTT_DEVICES):
        code = f"bench-meter-{number}"
        device = {"kind": "water_level", "place": callers.place(), "interval_seconds": 3600}
        answer = callers.call("PUT", f"/api/v1/devices/{code}", "admin", json=device)
        if answer.status_code != 201:
            raise SystemExit(answer.text)
        made.append((code, callers.post(f"/api/v1/devices/{code}/secret", "admin", {})["secret"]))
    return made


def ways(callers: Callers, pool: ProcessPoolExecutor, nats: int, plain: int | None, batches: int) -> Ways:
    running = callers.product.run()
    urls, token, port = running["urls"], callers.token("admin"), callers.product.port
    devices, mqtt = meters(callers), int(running["mqtt"].rpartition(":")[2])

    def run(act: Callable[..., float], *arguments: Any) -> float:
        settled(callers.product)
        return pool.submit(act, *arguments).result(2 * senders.PATIENCE)

    def posts(ndjson: bool, zipped: bool) -> Callable[[int], float]:
        return lambda first: run(senders.http_posts, port, token, first, batches, ndjson, zipped, False, senders.CONNECTIONS)

    found: Ways = {name: posts(*how) for name, how in HTTP.items()}
    found |= {
        "signals_bare_append": lambda first: run(senders.append, urls["ingest"], first, batches),
        "signals_raw_copy": lambda first: run(senders.copy, urls["owner"], first, batches),
        "signals_bare_jetstream": lambda first: run(senders.jetstream, nats, first, batches),
        "signals_http_single": lambda first: run(senders.http_posts, port, token, first, SINGLES, False, False, True, SINGLE_CONNECTIONS),
        "signals_mqtt_qos1": lambda first: run(senders.mqtt, mqtt, devices, first * senders.SIZE, MESSAGES),
    }
    if plain is not None:
        nobody = [(name, "") for name, _ in devices]
        found["mosquitto_qos1"] = lambda first: run(senders.mqtt, plain, nobody, first * senders.SIZE, MESSAGES)
    return found


def shares(speeds: dict[str, list[float]], name: str, beside: str) -> float:
    """Percent of the other way's speed, in the median of the rounds."""
    return statistics.median(100 * ours / theirs for ours, theirs in zip(speeds[name], speeds[beside], strict=True))


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--batches", type=int, default=BATCHES, help="of 500 signals, by each way in each round")
    chosen, _ = options.parse_known_args()
    speeds: dict[str, list[float]] = defaultdict(list)
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(mosquitto()) if installed("mosquitto", "mosquitto-clients") else None
        nats = stack.enter_context(bare_nats())
        pool = stack.enter_context(senders.a_process())
        callers = stack.enter_context(product(0.1))
        table = ways(callers, pool, nats, plain, chosen.batches)
        numbers = itertools.count(1)
        for turn in range(chosen.rounds + 1):
            for name, act in table.items():
                speed = act(next(numbers) * (chosen.batches + MESSAGES))
                if turn:  # the first round warms everything up
                    speeds[name].append(speed)
    for name, found in speeds.items():
        record(name, statistics.median(found), "signals/s", SINGLES if "single" in name else MESSAGES if "qos1" in name else BATCHES * 500)
    for name in HTTP:
        record(f"{name}_of_append", shares(speeds, name, "signals_bare_append"), "%")
    if plain is not None:
        record("signals_mqtt_of_mosquitto", shares(speeds, "signals_mqtt_qos1", "mosquitto_qos1"), "%")


if __name__ == "__main__":
    main()
