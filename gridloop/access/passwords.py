"""The rules of a password whose sentences the framework has in English only, in ours."""

from __future__ import annotations

from django.contrib.auth.password_validation import MinimumLengthValidator, UserAttributeSimilarityValidator
from django.utils.translation import get_language

from gridloop.kernel.texts import say


def _say(key: str, **params: object) -> str:
    return say(key, "en" if (get_language() or "").startswith("en") else "zh", **params)


class LongEnough(MinimumLengthValidator):
    def get_error_message(self) -> str:
        return _say("access.password_short", n=self.min_length)


class NotTheName(UserAttributeSimilarityValidator):
    def get_error_message(self) -> str:
        return _say("access.password_like_name")
