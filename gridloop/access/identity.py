"""Log-in by the city's identity provider: it opens an account that an administrator made, found by one claim; it never makes one."""

from __future__ import annotations

from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import render

from gridloop.access import watching
from gridloop.access.models import User
from gridloop.journal.selectors import scoped
from gridloop.kernel.viewer import SYSTEM


class IdentityAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # the library ships no types
    """Named in settings. The link is kept by the provider's own subject, so that a name given to somebody else later opens nothing."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        if sociallogin.is_existing:
            SocialAccount.objects.filter(pk=sociallogin.account.pk).update(extra_data={})  # what the provider tells is not ours to keep
            return
        user = account_named(sociallogin.account.extra_data)
        if user is None or SocialAccount.objects.filter(user=user).exists():
            watching.refused(request, user.pk if user else None, "oidc", "not_linked")
            raise ImmediateHttpResponse(refusal(request, "not_linked"))
        sociallogin.account.extra_data = {}
        with scoped(SYSTEM):  # the library saves the account with the link
            sociallogin.connect(request, user)
        watching.log_sign_in(user.pk, "identity_linked", "oidc", watching.origin_of(request))

    def on_authentication_error(self, request: HttpRequest, provider: Any, **kwargs: Any) -> None:
        raise ImmediateHttpResponse(refusal(request, "provider_failed"))

    def get_requests_session(self) -> Any:
        """Short waits; the provider's answers come from the addresses it names itself, never from elsewhere."""
        session = super().get_requests_session()
        session.max_redirects = 0
        return session


def account_named(told: dict[str, Any]) -> User | None:
    """The open account whose user name (or whose person's staff code) the configured claim names."""
    for part in (told.get("userinfo"), told.get("id_token"), told):
        value = part.get(settings.OIDC["CLAIM"]) if isinstance(part, dict) else None
        if isinstance(value, str) and value:
            field = {"username": "username", "staff": "staff__code"}[settings.OIDC["MATCH"]]
            with scoped(SYSTEM):
                found = list(User.objects.filter(**{field: value}, is_active=True, machine=False)[:2])
            return found[0] if len(found) == 1 else None
    return None


def refusal(request: HttpRequest, why: str) -> Any:
    """A page that says what to do; the key of its sentence is ``access.page_<why>``."""
    return render(request, "pages/refused.html", {"why": why}, status=403)
