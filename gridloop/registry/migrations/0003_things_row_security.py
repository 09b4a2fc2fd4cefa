"""Second lock on houses, enterprises, key places and devices; and all rules of this room ask for the viewer once a query, not once a row."""

from django.db import migrations

INSIDE = "(SELECT gl_system()) OR region_code LIKE ANY ((SELECT gl_places())::text[])"
THINGS = {
    "registry_house": INSIDE,
    "registry_enterprise": INSIDE,
    "registry_place": INSIDE,
    "registry_device": f"{INSIDE} OR owner_unit_id = ANY ((SELECT gl_units())::int[])",
}
PERSONAL = ("registry_person", "registry_household", "registry_vehicle")
ONCE = "(SELECT gl_system()) OR region_code LIKE ANY ((SELECT gl_regions())::text[])"
BEFORE = "gl_system() OR region_code LIKE ANY (gl_regions())"

LOCK = "".join(
    f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
    f"CREATE POLICY {table}_by_place ON {table} FOR ALL USING ({rule}) WITH CHECK ({rule});"
    for table, rule in THINGS.items()
)
UNLOCK = "".join(f"DROP POLICY {table}_by_place ON {table}; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;" for table in THINGS)


def personal(rule):
    return "".join(f"ALTER POLICY {table}_by_region ON {table} USING ({rule}) WITH CHECK ({rule});" for table in PERSONAL)


class Migration(migrations.Migration):
    dependencies = [("registry", "0002_row_security"), ("journal", "0004_places")]
    operations = [migrations.RunSQL(LOCK, UNLOCK), migrations.RunSQL(personal(ONCE), personal(BEFORE))]
