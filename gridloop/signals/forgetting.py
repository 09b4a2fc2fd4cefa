"""What detectors have learned of somebody who was erased goes: asked for with the erasure, done by whoever is at work.

History and log need no list of who was erased: what was erased there is no reading any more (``rules.was_erased``), so that nobody who
begins anew learns from it. What is in memory or stored does not know whose a number is; the rows say it, until the state without it is
stored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from gridloop.detection.columns import Ints
from gridloop.detection.language import token_of
from gridloop.detection.rules import DEVICE
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals.models import Alarm, Forgotten, Irregular

if TYPE_CHECKING:
    from gridloop.signals.detecting import AtWork


def ask(devices: Collection[str], words: Collection[str]) -> int:
    """Within the erasure: the devices' alarms go, and the rest is to be forgotten. Returns how many alarms had still lasted."""
    now = clock.now()
    of_device = Alarm.objects.filter(device__in=devices)
    lasting = of_device.filter(ended=None).count()
    of_device.delete()
    Irregular.objects.filter(device__in=devices).delete()
    rows = [Forgotten(device=code, at=now) for code in sorted(devices)]
    Forgotten.objects.bulk_create([*rows, *(Forgotten(token=token_of(word), at=now) for word in sorted(words))])
    return lasting


def due() -> list[Forgotten]:
    with scoped(SYSTEM):
        return list(Forgotten.objects.order_by("id"))


def forget(work: AtWork, rows: Collection[Forgotten]) -> dict[str, list[str]]:
    """In memory. The names that were forgotten, by grouping; whoever asked stores what is left, then calls ``done``."""
    codes = sorted({row.device for row in rows if row.device})
    gone = work.keys.devices(codes)
    gone = gone[gone >= 0]
    keys = {by: _alone(homes, gone) for by, homes in work.keys.homes.items()}
    tokens = np.array([row.token for row in rows if row.token is not None], np.int64)
    work.taking.forget(gone)
    work.engine.forget(gone, keys, tokens)
    return {DEVICE: codes, **{by: [work.keys.name(by, key) for key in found.tolist()] for by, found in keys.items()}}


def _alone(homes: Mapping[int, int], gone: Ints) -> Ints:
    """Keys all of whose devices are gone: what several homes have together is nobody's routine."""
    left = set(gone.tolist())
    others = {key for device, key in homes.items() if device not in left}
    return np.array(sorted({homes[device] for device in left if homes.get(device, -1) >= 0} - others), np.int64)


def done(rows: Collection[Forgotten], names: Mapping[str, Collection[str]]) -> None:
    """Within the transaction that takes the state without them into use. Alarms found since the erasure go, too."""
    for by, found in names.items():
        Alarm.objects.filter(goes_by=by, key__in=list(found)).delete()
    Forgotten.objects.filter(pk__in=[row.pk for row in rows]).delete()
