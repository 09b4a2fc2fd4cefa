"""Settings, read from the environment that the supervisor (or an administrator) prepares."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from gridloop.access.rules import factor_roles
from gridloop.project.jobs import JOBS as JOBS

ROOT = Path(__file__).resolve().parent.parent.parent
DATA_DIR = Path(os.environ.get("GRIDLOOP_DATA_DIR", ROOT / "var" / "data")).resolve()
SAMPLE = os.environ.get("GRIDLOOP_SAMPLE", "") == "1"  # sample county: role buttons, moving clock and banner allowed
DEBUG = False
NO_SECRET = "only-for-commands-without-a-deployment"
SECRET_KEY = os.environ.get("GRIDLOOP_SECRET_KEY") or NO_SECRET
FACTOR_KEY = os.environ.get("GRIDLOOP_FACTOR_KEY") or NO_SECRET  # seals the secrets of second factors; the first of several
ALLOWED_HOSTS = os.environ.get("GRIDLOOP_HOSTS", "127.0.0.1,localhost,testserver,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("GRIDLOOP_ORIGINS", "").split(",") if o]


_CONNECT_SECONDS = int(os.environ.get("GRIDLOOP_CONNECT_SECONDS", "5"))


def database(url: str) -> dict[str, Any]:
    """A Django database entry from ``postgresql://user:password@host:port/name`` (host may be a socket folder by ``?host=``)."""
    parts = urlsplit(url)
    query = dict(item.split("=", 1) for item in parts.query.split("&") if "=" in item)
    secured = {name: unquote(value) for name, value in query.items() if name.startswith("ssl")}  # sslmode=verify-full and its like
    return {
        "ENGINE": "gridloop.journal.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(query.get("host", parts.hostname or "")),
        "PORT": str(parts.port or query.get("port", "")),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": os.environ.get("GRIDLOOP_PROCESS", "gridloop"),
            # statements are planned once a connection: with row security planning costs more than running
            "server_side_binding": True,
            "prepare_threshold": 3,
            **secured,
        },
        "TEST": {"MIGRATE": True},
    }


# Two doors into one database: ``default`` is the ordinary role (row security applies), ``owner`` only migrates and loads.
DATABASES = {
    "default": database(os.environ.get("GRIDLOOP_APP_URL", "postgresql://gridloop_app@127.0.0.1:5432/gridloop")),
    "owner": database(os.environ.get("GRIDLOOP_OWNER_URL", "postgresql://gridloop_owner@127.0.0.1:5432/gridloop")),
}
INGEST_URL = os.environ.get("GRIDLOOP_INGEST_URL", "")
NATS_URL = os.environ.get("GRIDLOOP_NATS_URL", "")
GRIDLOOP_SCENE_BOOK = "gridloop.scenes.book.BOOK"  # where the cases room finds the scene of a case
GRIDLOOP_HOLDS = "gridloop.cases.selectors.held"  # cases whose values and files are kept though their time is over
GRIDLOOP_ASSISTANT_BOOK = "gridloop.project.assistants.current"  # the language model that drafts, if any
GRIDLOOP_SCANNER_BOOK = "gridloop.project.scanners.current"  # what looks at uploaded files, if anything
GRIDLOOP_CHANNEL_BOOK = "gridloop.project.channels.BOOK"  # which adapter carries which kind of notice
DOCTORS = (
    "gridloop.signals.selectors.doctor",
    "gridloop.scenes.selectors.doctor",
    "gridloop.notices.selectors.doctor",
    "gridloop.evidence.selectors.doctor",
)  # what rooms tell `gridloop doctor`

# The city's own log-in (OpenID Connect), when the administrator named one. It opens accounts that exist; it never makes any.
OIDC = {
    "ISSUER": os.environ.get("GRIDLOOP_OIDC_ISSUER", ""),
    "CLIENT_ID": os.environ.get("GRIDLOOP_OIDC_CLIENT_ID", ""),
    "CLIENT_SECRET": os.environ.get("GRIDLOOP_OIDC_CLIENT_SECRET", ""),
    "NAME": os.environ.get("GRIDLOOP_OIDC_NAME", "统一身份认证"),
    "CLAIM": os.environ.get("GRIDLOOP_OIDC_CLAIM", "preferred_username"),
    "MATCH": os.environ.get("GRIDLOOP_OIDC_MATCH", "username"),
}
OIDC_ON = bool(OIDC["ISSUER"] and OIDC["CLIENT_ID"])

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "gridloop.journal",
    "gridloop.orgs",
    "gridloop.access",
    "gridloop.registry",
    "gridloop.flow",
    "gridloop.dispatch",
    "gridloop.evidence",
    "gridloop.cases",
    "gridloop.notices",
    "gridloop.signals",
    "gridloop.scenes",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.headless",
    "allauth.idp.oidc",
    "allauth.socialaccount",
    *(["allauth.socialaccount.providers.openid_connect"] if OIDC_ON else []),  # 100 ms of each process: it brings requests
]
AUTH_USER_MODEL = "access.User"
MIDDLEWARE = [
    "gridloop.doors.http.requests.RequestMiddleware",
    "gridloop.doors.http.metrics.MetricsMiddleware",
    "gridloop.doors.http.watch.DatabaseWatchMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "gridloop.doors.http.headers.HeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "gridloop.doors.http.sessions.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "gridloop.doors.http.problems.ProblemMiddleware",
    "gridloop.doors.http.limits.LimitsMiddleware",
    "gridloop.doors.http.scanning.ScanMiddleware",
    "gridloop.doors.http.idempotency.IdempotencyMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "gridloop.access.passwords.LongEnough", "OPTIONS": {"min_length": 12}},
    {"NAME": "gridloop.access.passwords.NotTooLong", "OPTIONS": {"most": 128}},
    {"NAME": "gridloop.access.passwords.NotTheGiven"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {
        "NAME": "gridloop.access.passwords.NotTheName",
        "OPTIONS": {"user_attributes": ("username", "name")},
    },
]
# such as operator,duty_commander,admin, or none; a sample has buttons in the place of passwords, so nobody there owes one unless it is said
REQUIRE_MFA_ROLES = factor_roles(os.environ.get("GRIDLOOP_REQUIRE_MFA_ROLES", ""), sample=SAMPLE)

# Accounts are made by administrators: no sign-up, no mail. The counters behind the limits are shared by all web processes.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "access_cache"}}
ACCOUNT_ADAPTER = "gridloop.access.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_USER_MODEL_EMAIL_FIELD = None  # accounts carry no address: notices go through the staff's channels
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_PRESERVE_USERNAME_CASING = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {"login": "120/m/ip", "login_failed": "30/m/ip,5/5m/key"}  # an office shares one address
REPORTS_PER_MINUTE = int(
    os.environ.get("GRIDLOOP_REPORTS_PER_MINUTE", "600")
)  # of one address (a village may share one) without an account; 0 = no limit
ALLAUTH_TRUSTED_PROXY_COUNT = int(os.environ.get("GRIDLOOP_PROXIES", "1"))  # our own front door adds X-Forwarded-For
HEADLESS_CLIENTS = ("browser",)
MFA_ADAPTER = "gridloop.access.adapter.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"  # a passkey alone logs in: holding the device is not enough
MFA_TOTP_ISSUER = "Gridloop 网格闭环"
SOCIALACCOUNT_ADAPTER = "gridloop.access.identity.IdentityAdapter"
SOCIALACCOUNT_AUTO_SIGNUP = False
SOCIALACCOUNT_LOGIN_ON_GET = True  # a form would be refused by our own policy at the redirect to another origin; the state is checked
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "city",
                "name": OIDC["NAME"],
                "client_id": OIDC["CLIENT_ID"],
                "secret": OIDC["CLIENT_SECRET"],
                "settings": {"server_url": OIDC["ISSUER"].rstrip("/")},
            }
        ]
        if OIDC_ON
        else [],
    }
}
USERSESSIONS_TRACK_ACTIVITY = False  # a write at every request for nothing anybody reads
ROOT_URLCONF = "gridloop.project.urls"
WSGI_APPLICATION = "gridloop.project.wsgi.application"
# the templates of /api/docs; as an installed app it would be loaded by every process and command, and only the web answers by it
API_LIBRARY = Path(str(find_spec("ninja").origin)).parent  # type: ignore[union-attr]  # it is installed
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "gridloop" / "doors" / "http" / "templates", API_LIBRARY / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "gridloop.doors.http.pages.page_texts",
            ],
            "libraries": {"page": "gridloop.doors.http.tags"},
        },
    }
]
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "中文"), ("en", "English")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"  # made by the deployment (base map); the edge serves it and the built front end
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATA_UPLOAD_MAX_MEMORY_SIZE = 12_000_000  # doors.http.problems.BODY_LIMIT; said in docs/reference/limits.md
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = os.environ.get("GRIDLOOP_HTTPS", "") == "1"
# browsers take a cookie of this name from this very host and over HTTPS only: no neighbour under the same domain can plant one
SESSION_COOKIE_NAME = "__Host-sessionid" if SESSION_COOKIE_SECURE else "sessionid"
STRICT_TRANSPORT = os.environ.get("GRIDLOOP_STRICT_TRANSPORT", "") == "1"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # set by our own front door, the only way in
CSRF_FAILURE_VIEW = "gridloop.doors.http.pages.csrf_failure"
SESSION_COOKIE_AGE = 12 * 3600  # seconds: one long shift
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/login/"
