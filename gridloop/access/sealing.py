"""Secrets of second factors, sealed: who reads the database, or a backup of it, cannot make codes.

``GRIDLOOP_FACTOR_KEY`` is kept beside the data and never in the database. Of several keys, comma separated, the first seals and each opens.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from functools import lru_cache

from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import transaction

from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM

MARK = "f1:"  # of a sealed value; the library's own secrets are letters and digits
_FIELDS = ("secret", "seed")


class Unreadable(Exception):
    """A secret that none of our keys opens: the database is of another deployment, or its key was lost."""


@lru_cache(maxsize=4)
def _box(keys: str) -> MultiFernet:
    return MultiFernet([_fernet(word.strip()) for word in keys.split(",") if word.strip()])


def _fernet(word: str) -> Fernet:
    raw = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"gridloop second factors").derive(word.encode())
    return Fernet(urlsafe_b64encode(raw))


def seal(text: str) -> str:
    return MARK + _box(settings.FACTOR_KEY).encrypt(text.encode()).decode()


def unseal(text: str) -> str:
    """Of a row older than sealing the text itself."""
    if not text.startswith(MARK):
        return text
    try:
        return _box(settings.FACTOR_KEY).decrypt(text.removeprefix(MARK)).decode()
    except InvalidToken as fault:
        raise Unreadable from fault


def unreadable() -> list[int]:
    """Accounts with a factor that no key of ours opens."""
    with scoped(SYSTEM):
        return sorted({factor.user_id for factor in Authenticator.objects.all() if not _opens(factor)})


def _opens(factor: Authenticator) -> bool:
    """A passkey has nothing to open."""
    try:
        for name in _FIELDS:
            unseal(str(factor.data.get(name, "")))
    except Unreadable:
        return False
    return True


def seal_old() -> bool:
    """Job: seal what is older than sealing, or sealed under a key that is no longer the first. What no key opens stays as it is."""
    if settings.FACTOR_KEY == settings.NO_SECRET:
        return False
    first = _box(settings.FACTOR_KEY.partition(",")[0])
    with scoped(SYSTEM), transaction.atomic():
        for factor in Authenticator.objects.select_for_update(skip_locked=True).exclude(type=Authenticator.Type.WEBAUTHN).order_by("pk"):
            sealed = {name: _sealed_anew(first, str(factor.data[name])) for name in _FIELDS if name in factor.data}
            if any(sealed[name] != factor.data[name] for name in sealed):
                factor.data |= sealed
                factor.save(update_fields=["data"])
    return False


def _sealed_anew(first: MultiFernet, text: str) -> str:
    if text.startswith(MARK):
        try:
            first.decrypt(text.removeprefix(MARK))
        except InvalidToken:
            pass
        else:
            return text
    try:
        return seal(unseal(text))
    except Unreadable:
        return text
