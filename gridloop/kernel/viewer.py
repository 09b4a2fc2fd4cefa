"""Who is looking or acting: the first argument of every selector and every verb."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Grant:
    """One role over one territory and, for department people, one unit tree.

    ``region`` is a code prefix ('' = everywhere); ``unit_ids`` empty = not bound to a department. ``permissions`` hold here and
    nowhere else.
    """

    role: str
    region: str = ""
    unit_ids: frozenset[int] = frozenset()
    permissions: frozenset[str] = frozenset()

    def reaches(self, region: str, unit_ids: Collection[int | None] = ()) -> bool:
        """Whether a thing at this place, in the hands of these units, lies in the grant."""
        return not self.unit_ids.isdisjoint(unit_ids) if self.unit_ids else region.startswith(self.region)


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person, a machine or the system itself, with everything needed to decide and to set row security.

    ``permissions`` are those of no territory (a citizen's, the public's); all others belong to their grant.
    """

    name: str
    user_id: int | None = None
    staff_id: int | None = None
    unit_id: int | None = None
    grants: tuple[Grant, ...] = ()
    permissions: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()  # as whom it speaks, territory or not
    scopes: frozenset[str] | None = None  # None = a person's session; else the API token's scopes
    system: bool = False
    lang: str = "zh"

    def can(self, permission: str) -> bool:
        """Whether the permission such as ``case.accept`` is held anywhere, and the token's scope, when there is one, lets it through."""
        if self.system:
            return True
        if self.scopes is not None and not self._in_scope(permission):
            return False
        return permission in self.permissions or any(permission in g.permissions for g in self.grants)

    def may(self, permission: str, region: str, unit_ids: Collection[int | None] = (), *, named: bool = False) -> bool:
        """Whether the permission is held for this very thing: by a grant that reaches it, or anywhere when the thing names the viewer."""
        if self.system or not self.can(permission):
            return self.system
        return named or any(permission in g.permissions and g.reaches(region, unit_ids) for g in self.grants)

    def within(self, permission: str) -> Viewer:
        """This viewer with no more sight than the grants that give the permission: the frame of a verb, the door of a read."""
        if all(permission in g.permissions for g in self.grants):
            return self
        return replace(self, grants=tuple(g for g in self.grants if permission in g.permissions))

    def _in_scope(self, permission: str) -> bool:
        scopes = self.scopes or frozenset()
        return "all" in scopes or permission in scopes or permission.split(".", 1)[0] in scopes

    @property
    def everything(self) -> frozenset[str]:
        """Every permission held anywhere, for menus."""
        held = self.permissions.union(*(g.permissions for g in self.grants))
        return frozenset(p for p in held if self.can(p))

    @property
    def regions(self) -> tuple[str, ...]:
        """Code prefixes in which everything may be seen (grants not bound to a department)."""
        return tuple(sorted({g.region for g in self.grants if not g.unit_ids}))

    @property
    def places(self) -> tuple[str, ...]:
        """Code prefixes of all grants, departments included: where houses, enterprises, places and devices may be seen."""
        return tuple(sorted({g.region for g in self.grants}))

    @property
    def unit_ids(self) -> frozenset[int]:
        """Units whose cases may be seen wherever they lie."""
        return frozenset(u for g in self.grants for u in g.unit_ids)

    @property
    def actor(self) -> str:
        """The stable, non-personal name of this viewer in facts: ``user:12``, ``system``, ``public``."""
        if self.user_id is not None:
            return f"user:{self.user_id}"
        return "system" if self.system else self.name


SYSTEM = Viewer(name="system", system=True)
PUBLIC = Viewer(name="public", permissions=frozenset({"case.report", "case.track"}))
