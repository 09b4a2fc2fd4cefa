"""Who is looking or acting: the first argument of every selector and every verb."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grant:
    """One role over one territory and, for department people, one unit tree.

    ``region`` is a code prefix ('' = everywhere); ``unit_ids`` empty = not bound to a department.
    """

    role: str
    region: str = ""
    unit_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person, a machine or the system itself, with everything needed to decide and to set row security."""

    name: str
    user_id: int | None = None
    staff_id: int | None = None
    unit_id: int | None = None
    grants: tuple[Grant, ...] = ()
    permissions: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None  # None = a person's session; else the API token's scopes
    system: bool = False
    lang: str = "zh"

    def can(self, permission: str) -> bool:
        """Whether any grant (and the token's scope, when there is one) allows the permission such as ``case.accept``."""
        if self.system:
            return True
        if self.scopes is not None and not self._in_scope(permission):
            return False
        return permission in self.permissions

    def _in_scope(self, permission: str) -> bool:
        scopes = self.scopes or frozenset()
        return "all" in scopes or permission in scopes or permission.split(".", 1)[0] in scopes

    @property
    def regions(self) -> tuple[str, ...]:
        """Code prefixes in which everything may be seen (grants not bound to a department)."""
        return tuple(sorted({g.region for g in self.grants if not g.unit_ids}))

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
