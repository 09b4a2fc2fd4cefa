"""For tests of other rooms: a photo that somebody has just sent."""

from __future__ import annotations

from itertools import count

from gridloop.evidence.actions import add
from gridloop.evidence.tests.pictures import picture
from gridloop.kernel.viewer import Viewer

_HEIGHTS = count(8)


def photo_of(viewer: Viewer, kind: str = "") -> str:
    """The id of a new photo of the viewer's, like no other, not yet named by anything."""
    return str(add(viewer, picture(size=(8, next(_HEIGHTS))), kind=kind).id)
