"""Units and people that leave: this room knows who still has work, so they cannot go before it is handed on."""

from __future__ import annotations

from gridloop.access import actions as access
from gridloop.flow.models import Task
from gridloop.journal.frame import elevated, verb
from gridloop.kernel.errors import NotNow
from gridloop.kernel.viewer import Viewer
from gridloop.orgs import actions as orgs

LIVE = ("open", "accepted")


@verb("org.edit")
def set_unit_active(viewer: Viewer, unit_id: int, active: bool) -> None:
    """Take a unit out of service, or back; NotNow with the number while it has live tasks (those of others' sight, too)."""
    orgs.set_unit_active(viewer, unit_id, active)
    with elevated():
        tasks = 0 if active else Task.objects.filter(unit_id=unit_id, status__in=LIVE).count()
    if tasks:
        raise NotNow("orgs.unit_busy", tasks=tasks)


@verb("org.edit")
def set_staff_active(viewer: Viewer, staff_id: int, active: bool) -> None:
    """Somebody leaves or comes back; NotNow with the number while they hold live tasks. Leaving closes the accounts; they stay closed."""
    orgs.set_staff_active(viewer, staff_id, active)
    if active:
        return
    with elevated():
        tasks = Task.objects.filter(staff_id=staff_id, status__in=LIVE).count()
    if tasks:
        raise NotNow("orgs.staff_busy", tasks=tasks)
    access.close_accounts_of(viewer, staff_id)
