"""The base of every shape on the way in and out."""

from __future__ import annotations

from typing import Any, Self

import ninja
from pydantic import ModelWrapValidatorHandler, ValidationInfo, model_validator


class Schema(ninja.Schema):
    """A shape filled from a dict or from an object's attributes as they are.

    The framework wraps each value it meets, to look for resolvers and related managers; ours come ready from selectors
    and have neither, and the wrapping cost more than the check itself.
    """

    @model_validator(mode="wrap")
    @classmethod
    def _run_root_validator(cls, values: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        return handler(values)
