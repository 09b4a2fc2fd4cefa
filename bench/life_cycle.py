"""Whole lives of cases by HTTP at 0, 100,000 and 1,000,000 cases: lives a second in turns under one set-up, each call's time and

processor time, a spike, and what happens beyond capacity. Afterwards every case begun is closed and the trace verifies.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kit.history import age, keep_history, write_history
from kit.lives import CALLS, PEOPLE, Caller, Figures, Life, Merged, Phase, Place, lives
from kit.record import percentile, record
from kit.running import Callers, Product, processor_seconds, spent
from kit.territory import places, unit_of

from tests.house.product import command

SPIKE: list[Phase] = [(20, 1), (30, 35), (30, 1)]
CROWD = 160  # connections that call as fast as they can: far beyond what two cores do
CONNECTIONS = 6
MOST = 50  # lives a second that places are kept for
WANTED = ("life_cycles_1m", "life_cycles_1m_of_empty")  # what `--cases 0 1000000` files and the goals are about


def word(size: int) -> str:
    """``0`` → empty, ``100000`` → 100k, ``1000000`` → 1m."""
    return "empty" if not size else f"{size // 1_000_000}m" if size >= 1_000_000 else f"{size // 1000}k"


@dataclass
class Deployment:
    """A running product with so many cases, and what the lives in it gave."""

    size: int
    callers: Callers
    figures: list[Figures] = field(default_factory=list)
    used: dict[str, float] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    unit: int = 0

    def prepare(self) -> None:
        for user in PEOPLE:
            self.callers.token(user)
        self.unit = unit_of(self.callers, "handler")
        self.places = places(self.callers)

    def take(self, count: int) -> list[Place]:
        """Places nobody has used, so that no report joins another."""
        if count > len(self.places):
            raise SystemExit(f"{count} places are wanted, {len(self.places)} are left: fewer seconds or rounds")
        taken, self.places = self.places[:count], self.places[count:]
        return taken

    def live(self, seconds: float, threads: int, phases: list[Phase] | None = None) -> Figures:
        count = int(sum(s * r for s, r in phases)) + 1 if phases else int(seconds * MOST)
        tokens = {user: self.callers.token(user) for user in PEOPLE}
        return lives(self.callers.url, tokens, self.unit, self.take(count), seconds=seconds, threads=threads, phases=phases)

    def turn(self, seconds: float, threads: int) -> None:
        before = processor_seconds(self.callers.product)
        self.figures.append(self.live(seconds, threads))
        after = processor_seconds(self.callers.product)
        for name, seconds_used in after.items():
            self.used[name] = self.used.get(name, 0.0) + seconds_used - before.get(name, 0.0)


def load(size: int, folder: Path) -> Deployment:
    """A product with the sample county and so many historic cases, imported and aged."""
    callers = Callers(Product(folder / "data", GRIDLOOP_SAMPLE_SCALE="0.5"), folder / "data")
    callers.product.wait_ready(400)
    if size:
        file = write_history(callers, folder / "cases.csv", size)
        keep_history(callers, file, size)
        age(callers)
    deployment = Deployment(size, callers)
    deployment.prepare()
    return deployment


def in_turns(deployments: Sequence[Deployment], seconds: float, rounds: int, threads: int) -> None:
    """The same set-up for each size, one after the other, again and again: what disturbs the machine disturbs all of them."""
    for deployment in deployments:
        deployment.live(10, threads)  # plans and caches are warm
    for _ in range(rounds):
        for deployment in deployments:
            deployment.turn(seconds / rounds, threads)
    rates = {}
    for one in deployments:
        faults = [fault for f in one.figures for fault in f.faults]
        if faults:
            raise SystemExit(f"{len(faults)} lives failed: {faults[0]}")
        count = sum(f.lives for f in one.figures)
        rates[one.size] = count / sum(f.seconds for f in one.figures)
        record(f"life_cycles_{word(one.size)}", rates[one.size], "cases/s", count)
        record(f"life_cycle_processor_{word(one.size)}", sum(one.used.values()) * 1000 / count, "ms", count)
        record(f"life_cycle_client_processor_{word(one.size)}", sum(f.client_cpu for f in one.figures) * 1000 / count, "ms", count)
    most = deployments[-1]
    for name, used in most.used.items():
        record(f"life_cycle_processor_{word(most.size)}_{name}", used * 1000 / sum(f.lives for f in most.figures), "ms")
    for call in CALLS:
        times = [t for f in most.figures for t in f.times.get(call, [])]
        record(f"{call}_p50", percentile(times, 0.5), "ms", len(times))
        record(f"{call}_p95", percentile(times, 0.95), "ms", len(times))
    if most.size and deployments[0].size == 0:
        record(f"life_cycles_{word(most.size)}_of_empty", 100 * rates[most.size] / rates[0], "%")


def call_by_call(deployment: Deployment, count: int) -> None:
    """Each call over many lives in a row, so that what it costs all processes can be read."""
    caller = Caller(deployment.callers.url, {user: deployment.callers.token(user) for user in PEOPLE})
    at_work: list[Life] = []
    for place in deployment.take(count):
        at_work.append(Life(caller, deployment.unit, place))

    def each(call: str) -> None:
        for life in list(at_work):
            try:
                getattr(life, call)()
            except Merged:
                at_work.remove(life)
        time.sleep(1.5)  # what follows of it, too: notices, live screens

    for call in CALLS:
        used = spent(deployment.callers.product, lambda call=call: each(call))  # type: ignore[misc]
        record(f"{call}_processor", sum(used.values()) * 1000 / len(at_work), "ms", len(at_work))


def spike(deployment: Deployment) -> None:
    """From 1 a second to 35 and back: no error, and how soon it is as before."""
    figures = deployment.live(0, 96, SPIKE)
    times = [t for call in CALLS for t in figures.times.get(call, [])]
    start, end = SPIKE[0][0], SPIKE[0][0] + SPIKE[1][0]
    calm = percentile([ms for at, ms in figures.finished if at < start] or [0.0], 0.95)
    late = [at for at, ms in figures.finished if at > end and ms > max(2 * calm, calm + 200)]
    record("spike_request_p95", percentile(times, 0.95), "ms", len(times))
    record("spike_life_p95", percentile([ms for _at, ms in figures.finished], 0.95), "ms", figures.lives)
    record("spike_refused_or_failed", len(figures.faults) + sum(figures.refused.values()), "requests", len(times))
    record("spike_back_to_normal", max(late, default=end) - end, "s")


def overload(deployment: Deployment, seconds: float) -> None:
    """Far beyond capacity: refused by 429 in good time, nothing fails otherwise, and what is let in goes on."""
    figures = deployment.live(seconds, CROWD)
    answered = [t for times in figures.times.values() for t in times]
    record("overload_refused", sum(figures.refused.values()), "requests", len(answered))
    record("overload_failed", len(figures.faults), "requests", len(answered))
    record("overload_answer_p99", percentile(answered, 0.99), "ms", len(answered))
    record("overload_life_cycles", figures.lives / figures.seconds, "cases/s", figures.lives)
    if figures.faults:
        raise SystemExit(f"overload: {figures.faults[0]}")


def proven(deployment: Deployment) -> None:
    """The trace verifies and every life that was lived to its end is closed."""
    lived = sum(f.lives for f in deployment.figures)
    closed = deployment.callers.get("/api/v1/cases/counts", "operator", since=time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime()))
    if closed["status"].get("closed", 0) < lived:
        raise SystemExit(f"{lived} lives, but only {closed['status']} of today")
    done = command("verify", "--data-dir", str(deployment.callers.folder), seconds=3600)
    if done.returncode:
        raise SystemExit(f"verify: {done.stdout[-300:]} {done.stderr[-300:]}")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--cases", type=int, nargs="+", default=[0, 100_000])
    options.add_argument("--seconds", type=float, default=60, help="of lives at each size")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--clients", type=int, default=CONNECTIONS)
    options.add_argument("--count", type=int, default=60, help="lives whose calls are measured one by one")
    chosen, _ = options.parse_known_args()
    folder = Path(tempfile.mkdtemp(prefix="gl-lives-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        deployments = []
        for size in sorted(chosen.cases):
            deployments.append(load(size, folder / word(size)))
            stack.callback(deployments[-1].callers.product.stop)
        in_turns(deployments, chosen.seconds, chosen.rounds, chosen.clients)
        most = deployments[-1]
        call_by_call(most, chosen.count)
        spike(most)
        overload(most, 20)
        for deployment in deployments:
            proven(deployment)


if __name__ == "__main__":
    main()
