"""Where the log-in library tells what became of second factors and passkeys."""

from __future__ import annotations

from typing import Any

from allauth.mfa import signals
from allauth.mfa.models import Authenticator
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from gridloop.access import watching


def _added(request: HttpRequest, user: AbstractBaseUser, authenticator: Authenticator, **_: Any) -> None:
    watching.log_factor(request, user.pk, "factor_added", str(authenticator.type))


def _removed(request: HttpRequest, user: AbstractBaseUser, authenticator: Authenticator, **_: Any) -> None:
    watching.log_factor(request, user.pk, "factor_removed", str(authenticator.type))


def _renewed(request: HttpRequest, user: AbstractBaseUser, authenticator: Authenticator, **_: Any) -> None:
    watching.log_factor(request, user.pk, "factor_renewed", str(authenticator.type))


def _failed(request: HttpRequest, user: AbstractBaseUser, authenticator: Authenticator | None = None, **_: Any) -> None:
    watching.refused(request, user.pk, str(authenticator.type) if authenticator else "mfa", "wrong_code")


def listen() -> None:
    """Called once the applications are loaded."""
    signals.authenticator_added.connect(_added, dispatch_uid="gridloop.added")
    signals.authenticator_removed.connect(_removed, dispatch_uid="gridloop.removed")
    signals.authenticator_reset.connect(_renewed, dispatch_uid="gridloop.renewed")
    signals.authentication_failed.connect(_failed, dispatch_uid="gridloop.failed")
