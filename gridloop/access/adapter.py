"""Where the account library meets our rules: no sign-up, passwords written under row security, every log-in leaves a fact."""

from __future__ import annotations

import contextlib
import ipaddress
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import get_language

from gridloop.access import sealing, watching
from gridloop.access.actions import change_password
from gridloop.access.selectors import password_owed, second_factor_missing, user_id_of, viewer_for
from gridloop.kernel.texts import all_texts, say

_AGAIN = {"reauthenticate": "password", "mfa_reauthenticate": "code", "mfa_reauthenticate:webauthn": "passkey"}


def _said(key: str) -> str:
    return say(key, "en" if (get_language() or "").startswith("en") else "zh")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # the library ships no types
    """Named in settings; one instance a request."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """The first address told where there are fewer than trusted proxies: a script on this machine calls our port past the city's proxy,

        and the library would answer it with an error."""
        told = request.headers.get("x-forwarded-for", "").split(",")
        if told != [""] and len(told) < settings.ALLAUTH_TRUSTED_PROXY_COUNT:
            with contextlib.suppress(ValueError):
                return str(ipaddress.ip_address(told[0].strip()))
            raise PermissionDenied("X-Forwarded-For names no address")
        address: str = super().get_client_ip(request)
        return address

    def add_message(self, request: HttpRequest, level: int, message_template: str | None = None, *args: Any, **kwargs: Any) -> None:
        """Without "signed in as …": the desk shows no messages of ours, so it would wait for days until some page does."""
        if message_template not in ("account/messages/logged_in.txt", "account/messages/logged_out.txt"):
            super().add_message(request, level, message_template, *args, **kwargs)

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        """The library's own change of password ends here."""
        change_password(viewer_for(user.pk), password)
        user.refresh_from_db(fields=["password"])  # the session's hash is computed from this object next

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """The name alone: by default the address in the browser counts too, and every alias of this host gave five more guesses."""
        return str(credentials.get("username", "")).lower()

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """A locked name is written down once, not at every further try."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            watching.locked(request, user_id_of(str(credentials.get("username", ""))), "password")
            raise

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        user_id = user_id_of(str(credentials.get("username", "")))
        watching.refused(request, user_id, "password", "wrong_password" if user_id is not None else "no_such_account")

    def respond_user_inactive(self, request: HttpRequest, user: AbstractBaseUser) -> HttpResponse:
        watching.refused(request, user.pk, "password", "closed")
        response: HttpResponse = super().respond_user_inactive(request, user)
        return response

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> HttpResponse:
        watching.log_sign_in(user.pk, "logged_in", _how(request), watching.origin_of(request))
        response: HttpResponse = super().post_login(request, user, **kwargs)
        if response.status_code == 302:  # the phone's app, too, begins at the log-in page
            if password_owed(user.pk):
                return redirect("account_change_password")
            if second_factor_missing(user.pk):
                return redirect("mfa_index")
        return response

    def get_reauthentication_methods(self, user: AbstractBaseUser) -> list[dict[str, str]]:
        """In our own words: the library calls passkeys security keys, and recovery codes otherwise than our pages do."""
        ways: list[dict[str, str]] = super().get_reauthentication_methods(user)
        for way in ways:
            if way["id"] in _AGAIN:
                way["description"] = _said(f"access.again_{_AGAIN[way['id']]}")
        return ways

    def logout(self, request: HttpRequest) -> None:
        if request.user.is_authenticated:
            watching.log_sign_in(request.user.pk, "logged_out", "person", watching.origin_of(request))
        super().logout(request)


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # the library ships no types
    """What the library refuses, in the words of our pages; what it keeps of a factor, sealed."""

    def encrypt(self, text: str) -> str:
        return sealing.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return sealing.unseal(encrypted_text)
        except sealing.Unreadable as fault:
            raise ValidationError(_said("access.factor_unreadable"), code="unreadable") from fault

    def validation_error(self, code: str, *args: Any) -> ValidationError:
        key = f"access.factor_{code}"
        if key in all_texts():
            return ValidationError(_said(key), code=code)
        refusal: ValidationError = super().validation_error(code, *args)
        return refusal


def _how(request: HttpRequest) -> str:
    """The factors of this log-in in their order, such as ``password+totp``; ``sample`` for a button of the sample deployment."""
    records = request.session.get("account_authentication_methods", [])
    return "+".join(str(r.get("type") or r.get("provider") or r.get("method", "")) for r in records) or "sample"
