"""The few server-rendered pages: log-in with one button per sample role, second factor, and one's own account.

They work without scripts, so that a person can always get in; passkeys alone need one. The account library does the
work; these views choose its forms, our templates and our sentences.
"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.login import perform_login
from allauth.account.models import Login
from allauth.account.utils import get_next_redirect_url
from allauth.account.views import LoginView, PasswordChangeView, ReauthenticateView
from allauth.headless.account import views as account_api
from allauth.headless.base import views as base_api
from allauth.headless.constants import Client
from allauth.headless.mfa import views as mfa_api
from allauth.headless.usersessions import views as session_api
from allauth.mfa.base import views as mfa
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import get_user_model, logout
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import SimpleTemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from gridloop.access import selectors, watching
from gridloop.access.actions import set_language
from gridloop.access.language import LANGUAGE_CODES, keep_language
from gridloop.access.rules import ROLES, SAMPLE_ROLES
from gridloop.doors.http.agents import agent_name
from gridloop.journal.selectors import scoped
from gridloop.kernel.texts import say
from gridloop.notices import selectors as notices


class _Sentences:
    """``{{ say.login_title }}`` in a template is the sentence ``access.page_login_title`` in the page's language."""

    def __init__(self, lang: str) -> None:
        self._lang = lang

    def __getitem__(self, name: str) -> str:
        return say(f"access.page_{name}", self._lang)


def page_texts(request: HttpRequest) -> dict[str, Any]:
    """Context of every page: its language and its sentences."""
    lang = "en" if (get_language() or "").startswith("en") else "zh"
    return {"lang": lang, "say": _Sentences(lang)}


class LoginPage(LoginView):  # type: ignore[misc]  # the library ships no types
    """User name and password; in a sample deployment also one button per role."""

    template_name = "pages/login.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context["next"] = get_next_redirect_url(self.request) or ""
        context["city"] = settings.OIDC["NAME"] if settings.OIDC_ON else ""
        context["sample"] = sample_roles(page_texts(self.request)["lang"]) if settings.SAMPLE else []
        return context


def sample_roles(lang: str) -> list[dict[str, str]]:
    """The sample log-ins that exist, in the order of the working day, with the role's name."""
    names = {u.username: u.name for u in get_user_model().objects.filter(username__in=SAMPLE_ROLES, is_active=True)}
    return [
        {"user": user, "name": names[user], "role": ROLES[role].en if lang == "en" else ROLES[role].zh}
        for user, role in SAMPLE_ROLES.items()
        if user in names
    ]


@require_POST
@never_cache
def sample_login(request: HttpRequest) -> HttpResponse:
    """Become one of the sample people without a password; not there outside a sample deployment."""
    if not settings.SAMPLE:
        raise Http404
    user = get_user_model().objects.filter(username=request.POST.get("user", ""), is_active=True).first()
    if user is None or user.username not in SAMPLE_ROLES:
        raise Http404
    if request.user.is_authenticated:
        get_adapter().logout(request)
    response: HttpResponse = perform_login(request, Login(user=user, redirect_url=get_next_redirect_url(request)))
    return response


@never_cache
def sign_out(request: HttpRequest) -> HttpResponse:
    """POST ends the session; GET asks first, so that a stray link ends nobody's work."""
    if request.method == "POST":
        if request.user.is_authenticated:
            get_adapter().logout(request)
        return redirect("account_login")
    return render(request, "pages/form.html", {"title": page_texts(request)["say"]["logout"], "button": "logout"})


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Language of the pages (cookie) and, when logged in, of the account."""
    lang = request.POST.get("lang", "")
    if lang not in LANGUAGE_CODES:
        raise Http404
    if request.user.is_authenticated:
        set_language(selectors.viewer_for_request(request), lang)
    response = redirect(get_next_redirect_url(request) or "account_login")
    keep_language(response, lang)
    return response


@login_required
@never_cache
def account(request: HttpRequest) -> HttpResponse:
    """One's own account: roles, language, password, second factor, sessions and API tokens."""
    viewer = selectors.viewer_for_request(request)
    lang = page_texts(request)["lang"]
    account_row = selectors.me(viewer)
    roles = [ROLES[g.role] for g in account_row.grants if g.role in ROLES]
    context = {
        "account": account_row,
        "roles": [r.en if lang == "en" else r.zh for r in roles],
        "sessions": [(session, agent_name(session.user_agent)) for session in UserSession.objects.purge_and_list(request.user)],
        "current_session": request.session.session_key,
        "tokens": selectors.tokens(viewer),
        "totp": Authenticator.objects.filter(user=request.user, type=Authenticator.Type.TOTP).exists(),
        "passkeys": Authenticator.objects.filter(user=request.user, type=Authenticator.Type.WEBAUTHN).exists(),
        "told": notices.of_account(viewer),
        "second_factor_missing": selectors.second_factor_missing(account_row.id),
        "password_owed": selectors.password_owed(account_row.id),
        "has_password": request.user.is_authenticated and request.user.has_usable_password(),
    }
    return render(request, "pages/account.html", context)


@login_required
@never_cache
@reauthentication_required(app="allauth.mfa")  # type: ignore[untyped-decorator]  # the library ships no types
def passkeys(request: HttpRequest) -> HttpResponse:
    """One's own passkeys: the list, and the page whose script adds and removes them."""
    mine = Authenticator.objects.filter(user=request.user, type=Authenticator.Type.WEBAUTHN).order_by("created_at")
    return render(request, "pages/passkeys.html", {"passkeys": mine})


@require_POST
@login_required
def end_session(request: HttpRequest) -> HttpResponse:
    """End one of one's own sessions, on another device or here."""
    number = request.POST.get("session", "")
    session = UserSession.objects.filter(user=request.user, pk=number).first() if number.isdecimal() else None
    if session is None:  # ended already, here or in another tab
        return redirect("mfa_index")
    watching.end_one(request, session.user_id)
    if session.session_key == request.session.session_key:
        session.delete()
        logout(request)
        return redirect("account_login")
    session.end()
    return redirect("mfa_index")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A page that stood open too long, or a browser without cookies."""
    return render(request, "pages/message.html", {"text": page_texts(request)["say"]["csrf"]}, status=403)


def _form(title: str, button: str, hint: str = "", passkey: str = "") -> dict[str, Any]:
    words = {"title_key": title, "button": button, "hint": hint, "passkey": passkey}
    return {"template_name": "pages/form.html", "extra_context": words}


class PasskeyAgain(webauthn.ReauthenticateWebAuthnView):  # type: ignore[misc]  # the library ships no types
    """Confirm with a passkey that it is you; the page's script asks the browser API."""

    template_name = "pages/passkey.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "next": get_next_redirect_url(self.request) or "/accounts/"}


class _AsOneself:
    """The library locks the account's row, which row security shows to its owner only."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with scoped(selectors.viewer_for_request(request)):
            response: HttpResponse = super().post(request, *args, **kwargs)  # type: ignore[misc]  # of the view beside it
        return response


class Codes(recovery.ViewRecoveryCodesView):  # type: ignore[misc]  # the library ships no types
    """One's recovery codes; where they cannot be read, the page says so."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().dispatch(request, *args, **kwargs)
            return response.render() if isinstance(response, SimpleTemplateResponse) else response
        except ValidationError as fault:
            return render(request, "pages/message.html", {"text": fault.messages[0]}, status=409)


class NewCodes(_AsOneself, recovery.GenerateRecoveryCodesView):  # type: ignore[misc]  # the library ships no types
    """New recovery codes; the old ones end."""


class NewCodesApi(_AsOneself, mfa_api.ManageRecoveryCodesView):  # type: ignore[misc]  # the library ships no types
    """The same for the browser API."""


def _browser(view: Any) -> Any:
    return view.as_api_view(client=Client.BROWSER)


def city_login(request: HttpRequest, provider_id: str) -> HttpResponse:
    from allauth.socialaccount.providers.openid_connect import views  # brings requests: only where the city has its own log-in

    response: HttpResponse = views.login(request, provider_id)
    return response


def city_callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    from allauth.socialaccount.providers.openid_connect import views

    response: HttpResponse = views.callback(request, provider_id)
    return response


# The part of the account library's browser API that this product uses: no sign-up, no mail, no phone.
_API: dict[str, Any] = {
    "config": base_api.ConfigView,
    "auth/session": account_api.SessionView,
    "auth/login": account_api.LoginView,
    "auth/reauthenticate": account_api.ReauthenticateView,
    "auth/2fa/authenticate": mfa_api.AuthenticateView,
    "auth/2fa/reauthenticate": mfa_api.ReauthenticateView,
    "auth/webauthn/login": mfa_api.LoginWebAuthnView,
    "auth/webauthn/authenticate": mfa_api.AuthenticateWebAuthnView,
    "auth/webauthn/reauthenticate": mfa_api.ReauthenticateWebAuthnView,
    "account/authenticators/webauthn": mfa_api.ManageWebAuthnView,
    "auth/sessions": session_api.SessionsView,
    "account/password/change": account_api.ChangePasswordView,
    "account/authenticators": mfa_api.AuthenticatorsView,
    "account/authenticators/totp": mfa_api.ManageTOTPView,
    "account/authenticators/recovery-codes": NewCodesApi,
}

urlpatterns: list[URLPattern] = [
    path("login/", LoginPage.as_view(), name="account_login"),
    path("login/sample/", sample_login, name="sample_login"),
    path("login/city/", city_login, {"provider_id": "city"}, name="openid_connect_login"),
    path("login/city/callback/", city_callback, {"provider_id": "city"}, name="openid_connect_callback"),
    path("login/language/", choose_language, name="choose_language"),
    path("login/code/", mfa.AuthenticateView.as_view(**_form("code_title", "login", "code_hint", "authenticate")), name="mfa_authenticate"),
    path("login/again/", ReauthenticateView.as_view(**_form("again_title", "confirm", "again_hint")), name="account_reauthenticate"),
    path("login/again/code/", mfa.ReauthenticateView.as_view(**_form("again_title", "confirm", "code_hint")), name="mfa_reauthenticate"),
    path("login/again/passkey/", PasskeyAgain.as_view(), name="mfa_reauthenticate_webauthn"),
    path(
        "login/closed/",
        lambda request: render(request, "pages/message.html", {"text": page_texts(request)["say"]["closed"]}),
        name="account_inactive",
    ),
    path("logout/", sign_out, name="account_logout"),
    path("accounts/", account, name="mfa_index"),
    path("accounts/passkeys/", passkeys, name="mfa_list_webauthn"),
    path("accounts/sessions/", end_session, name="end_session"),
    path(
        "accounts/password/",
        login_required(PasswordChangeView.as_view(success_url="/accounts/", **_form("password_title", "save", "password_hint"))),
        name="account_change_password",
    ),
    path(
        "accounts/second-factor/", login_required(totp.ActivateTOTPView.as_view(template_name="pages/totp.html")), name="mfa_activate_totp"
    ),
    path(
        "accounts/second-factor/end/",
        totp.DeactivateTOTPView.as_view(**_form("totp_end_title", "end", "totp_end_hint")),
        name="mfa_deactivate_totp",
    ),
    path("accounts/recovery-codes/", Codes.as_view(template_name="pages/codes.html"), name="mfa_view_recovery_codes"),
    path(
        "accounts/recovery-codes/new/",
        login_required(NewCodes.as_view(**_form("codes_title", "codes_new", "codes_new_hint"))),
        name="mfa_generate_recovery_codes",
    ),
    *(path(f"_allauth/browser/v1/{address}", _browser(view)) for address, view in _API.items()),
]
