"""Run the targets under atheris: ``python -m tests.fuzz.run SECONDS [TARGET…]``. Everything is loaded once, each target runs in a fork.

Inputs that crash a target lie in ``var/fuzz/<target>/`` afterwards, the ones worth keeping in its ``corpus``.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
RUNS = 2000  # with SECONDS of 0: so many for each target, or one second, whatever ends first
LONGEST = 16_384  # bytes of an input


def load() -> None:
    """The product with its branches counted, its log silent."""
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gridloop.project.settings")
    os.environ.setdefault("GRIDLOOP_DATA_DIR", tempfile.mkdtemp(prefix="gl-fuzz-data-"))
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    with atheris.instrument_imports(include=["gridloop"]):
        import django

        django.setup()
        import tests.fuzz.targets  # noqa: F401
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """In a fork of its own: the engine ends the process."""
    from tests.fuzz import targets

    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in targets.TARGETS[name].seeds():
        (corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    limit = [f"-max_total_time={seconds}"] if seconds else [f"-runs={RUNS}", "-max_total_time=1"]
    options = ["-seed=7", f"-max_len={LONGEST}", "-timeout=10", "-rss_limit_mb=2048", "-verbosity=0", f"-artifact_prefix={folder}/"]
    atheris.Setup([name, *limit, *options, str(corpus)], lambda data: targets.run(name, data))
    atheris.Fuzz()


def main() -> int:
    """How many targets crashed."""
    seconds, names = int(sys.argv[1]), sys.argv[2:]
    base = Path(os.environ.get("GRIDLOOP_FUZZ_FOLDER", ROOT / "var" / "fuzz"))
    load()
    from tests.fuzz.targets import TARGETS

    crashed = 0
    for name in names or TARGETS:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            fuzz(name, seconds, base / name)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        crashed += status != 0
        sys.stdout.write(f"{name}: {'ok' if status == 0 else f'crashed ({status}), see {base / name}'}\n")
    return crashed


if __name__ == "__main__":
    sys.exit(main())
