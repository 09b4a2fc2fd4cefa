"""Template tags of the server-rendered pages."""

from __future__ import annotations

from typing import Any

from django import template

register = template.Library()


@register.simple_tag(takes_context=True)
def sentence(context: Any, name: str) -> str:
    """The page's sentence by a name that is itself in a variable."""
    return str(context["say"][name])
