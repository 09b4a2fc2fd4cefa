"""A worker that shares in the detectors' work and does nothing else, to be killed and stalled. Its log is the environment's, its clock

that of ``GRIDLOOP_DATA_DIR``. Says which lanes it holds whenever they change; ends on SIGTERM and gives them back.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gridloop.signals.sharing import Crew


def turn(crew: Crew) -> bool:
    """As a worker's loop has it: whatever it was is told and tried again."""
    from django.db import close_old_connections

    try:
        return crew.turn()
    except Exception as fault:
        logging.getLogger(__name__).warning("failed: %s", fault)
        return False
    finally:
        close_old_connections()


def main() -> None:
    import django

    django.setup()
    from gridloop.signals import detecting, sharing
    from gridloop.signals.handlers import owner_name
    from gridloop.signals.sharing import Crew
    from gridloop.signals.tests.homes import ALL

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    detecting.LEASE_SECONDS, detecting.RENEW_SECONDS, detecting.SAVE_SECONDS, sharing.BALANCE_SECONDS = 4, 0.7, 1.0, 0.5
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    crew, before = Crew(owner_name(), lambda: ALL), None
    while not ended:
        more = turn(crew)
        if (held := sorted(-1 if lane.partition is None else lane.partition for lane in crew.held)) != before:
            sys.stdout.write(f"{held}\n")
            sys.stdout.flush()
            before = held
        if not more:
            time.sleep(0.05)
    crew.end()


if __name__ == "__main__":
    main()
