"""The rules of a password whose sentences the framework has in English only, in ours."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.password_validation import MinimumLengthValidator, UserAttributeSimilarityValidator
from django.core.exceptions import ValidationError
from django.utils.translation import get_language

from gridloop.kernel.texts import say


def _say(key: str, **params: object) -> str:
    return say(key, "en" if (get_language() or "").startswith("en") else "zh", **params)


class LongEnough(MinimumLengthValidator):
    def get_error_message(self) -> str:
        return _say("access.password_short", n=self.min_length)


class NotTooLong:
    def __init__(self, most: int) -> None:
        self.most = most

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if len(password) > self.most:
            raise ValidationError(_say("access.password_long", n=self.most), code="password_too_long")

    def get_help_text(self) -> str:
        return _say("access.password_long", n=self.most)


class NotTheGiven:
    """One that somebody else has set, and knows, does not become one's own by being typed again."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if getattr(user, "password_given", False) and user is not None and user.check_password(password):
            raise ValidationError(_say("access.password_given"), code="password_given")

    def get_help_text(self) -> str:
        return _say("access.password_given")


class NotTheName(UserAttributeSimilarityValidator):
    def get_error_message(self) -> str:
        return _say("access.password_like_name")
