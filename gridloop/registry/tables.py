"""How each record shape of the registry is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gridloop.kernel.errors import FieldFault
from gridloop.kernel.viewer import Viewer
from gridloop.orgs.loading import Column, Target
from gridloop.orgs.rules import pinyin
from gridloop.orgs.selectors import unit_ids_by_code
from gridloop.orgs.tables import region_codes_known
from gridloop.registry import messages as m
from gridloop.registry import rules

_POINT = (Column("lon", "float8"), Column("lat", "float8"))

_BUILDING = Target(
    table="registry_building",
    columns=(
        Column("code"),
        Column("region_code"),
        Column("name"),
        Column("address"),
        Column("floors", "int"),
        *_POINT,
        Column("footprint", "bytea"),
        Column("address_seen", "bool", value=lambda row: False),  # moved or renamed: its address is looked at again
    ),
    key=("code",),
    check=rules.building_fault,
    unknown=region_codes_known,
)
_HOUSE = Target(
    table="registry_house",
    columns=(
        Column("code"),
        Column("building_id", field="building", ref="registry_building"),
        Column("region_code", inherit=("building_id",)),
        Column("floor", "int"),
        Column("room"),
        Column("kind"),
    ),
    key=("code",),
    check=rules.house_fault,
    unknown=region_codes_known,
)
_HOUSEHOLD = Target(
    table="registry_household",
    columns=(
        Column("code"),
        Column("house_id", field="house", ref="registry_house"),
        Column("region_code", inherit=("house_id",)),
        Column("doorplate"),
    ),
    key=("code",),
    check=rules.household_fault,
    unknown=region_codes_known,
)
_PERSON = Target(
    table="registry_person",
    columns=(
        Column("code"),
        Column("household_id", field="household", ref="registry_household"),
        Column("region_code", inherit=("household_id",)),
        Column("name"),
        Column("pinyin", value=lambda r: r.pinyin or pinyin(r.name)),
        Column("sex"),
        Column("birth", "date"),
        Column("citizen_id_no", value=lambda r: rules.clean_citizen_id(r.citizen_id_no)),
        Column("phone"),
        Column("tags", "jsonb"),
    ),
    key=("code",),
    check=rules.person_fault,
    unique=("citizen_id_no",),
    unknown=region_codes_known,
)
_ENTERPRISE = Target(
    table="registry_enterprise",
    columns=(
        Column("uscc", value=lambda r: r.uscc.strip().upper()),
        Column("name"),
        Column("region_code"),
        Column("address"),
        Column("industry"),
        Column("employees", "int"),
        *_POINT,
        Column("contact_name"),
        Column("contact_phone"),
        Column("building_id", field="building", ref="registry_building"),
    ),
    key=("uscc",),
    check=rules.enterprise_fault,
    unknown=region_codes_known,
)
_VEHICLE = Target(
    table="registry_vehicle",
    columns=(
        Column("plate", value=lambda r: rules.clean_plate(r.plate)),
        Column("kind"),
        Column("region_code", inherit=("person_id", "enterprise_id")),
        Column("person_id", field="person", ref="registry_person"),
        Column("enterprise_id", field="enterprise", ref="registry_enterprise", ref_key="uscc"),
    ),
    key=("plate",),
    check=rules.vehicle_fault,
    unknown=region_codes_known,
)
_PLACE = Target(
    table="registry_place",
    columns=(Column("code"), Column("name"), Column("kind"), Column("region_code"), Column("address"), *_POINT, Column("tags", "jsonb")),
    key=("code",),
    check=rules.place_row_fault,
    unknown=region_codes_known,
)


Fault = Iterable[tuple[int, FieldFault]]  # with the place of the row in the chunk
Around = Callable[[Viewer, Callable[[], int]], int]  # see ``Target.around``


def device_target(around: Around, forbidden: Callable[[Viewer, list[m.DeviceRow], Mapping[str, int]], Fault] | None = None) -> Target:
    """Units belong to another room: their ids are asked of it, chunk by chunk. ``forbidden``: rows the viewer may not load, by unit ids."""
    units: dict[str, int] = {}

    def unknown(viewer: Viewer, rows: list[Any]) -> Iterable[tuple[int, FieldFault]]:
        units.update(unit_ids_by_code(viewer, {row.owner_unit for row in rows} - units.keys() - {""}))
        yield from region_codes_known(viewer, rows)
        for place, row in enumerate(rows):
            if row.owner_unit and row.owner_unit not in units:
                params = {"field": "owner_unit", "value": row.owner_unit}
                yield place, FieldFault("/owner_unit", "orgs.row_unknown_ref", params)
        if forbidden is not None:
            yield from forbidden(viewer, rows, units)

    return Target(
        table="registry_device",
        columns=(
            Column("code"),
            Column("kind"),
            Column("name"),
            Column("region_code"),
            *_POINT,
            Column("owner_unit_id", "bigint", value=lambda r: units.get(r.owner_unit)),
            Column("place_id", field="place", ref="registry_place"),
            Column("building_id", field="building", ref="registry_building"),
            Column("household_id", field="household", ref="registry_household"),
            Column("coverage", "float8"),
            Column("interval_seconds", "int"),
            Column("status", once=True),
            Column("last_seen", "timestamptz"),
            Column("last_value", "float8"),
        ),
        key=("code",),
        check=rules.device_fault,
        unknown=unknown,
        around=around,
    )


def targets(devices: Around) -> dict[type, Target]:
    """Every record shape of the registry. ``devices``: see ``Target.around``."""
    return {
        m.BuildingRow: _BUILDING,
        m.HouseRow: _HOUSE,
        m.HouseholdRow: _HOUSEHOLD,
        m.PersonRow: _PERSON,
        m.EnterpriseRow: _ENTERPRISE,
        m.VehicleRow: _VEHICLE,
        m.PlaceRow: _PLACE,
        m.DeviceRow: device_target(devices),
    }
