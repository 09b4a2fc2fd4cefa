"""A process in which nothing but the detectors is at work, to be killed: ``python -m … ROWS_A_TURN SAVE_SECONDS``.

Says ``turn`` after each turn and ``done`` when it has caught up with the log.
"""

from __future__ import annotations

import sys
import time


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    import django

    django.setup()
    from gridloop.signals import detecting, positions
    from gridloop.signals.detecting import AtWork
    from gridloop.signals.handlers import owner_name
    from gridloop.signals.tests.homes import ALL

    detecting.MOST_ROWS, detecting.SAVE_SECONDS, detecting.LEASE_SECONDS = int(sys.argv[1]), float(sys.argv[2]), 1
    detecting.SAVE_SHARE = 0
    work = AtWork(owner_name(), lambda: ALL)
    while True:
        try:
            more = work.turn()
        except positions.Fenced:
            say("fenced")
            continue
        if work.leases is None:
            time.sleep(0.05)
            continue
        say("turn")
        if not more:
            break
    work.end()
    say("done")


if __name__ == "__main__":
    main()
