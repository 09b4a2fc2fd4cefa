"""Accounts for live stories on a sample or test deployment: one that may act for each unit, made when first needed."""

from __future__ import annotations

from gridloop.access.actions import create_user, grant_role, issue_token
from gridloop.access.selectors import user_id_of
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs import selectors as orgs

DAYS = 365  # of the deployment, whose clock the stories move by days


def sample_token(username: str) -> str:
    """A token of a sample log-in. NotFound when the deployment has none of that name."""
    account = user_id_of(username)
    if account is None:
        raise NotFound("scenes.story_no_user", user=username)
    return issue_token(SYSTEM, account, name="story", days=DAYS)


def unit_token(kind: str, unit_id: int) -> str:
    """A token of an account that may do the unit's tasks; each kind of work has its own, for nobody checks their own."""
    username = f"story-{kind}-{unit_id}"
    account = user_id_of(username)
    if account is None:
        account = create_user(SYSTEM, username, orgs.unit(SYSTEM, unit_id).name)
        grant_role(SYSTEM, account, "handler", unit_id=unit_id)
    return issue_token(SYSTEM, account, name="story", days=DAYS)
