"""Second lock on personal tables: rows of other territories do not exist for an ordinary connection, whatever a query forgets."""

from django.db import migrations

TABLES = ("registry_person", "registry_household", "registry_vehicle")
RULE = "gl_system() OR region_code LIKE ANY (gl_regions())"

LOCK = "".join(
    f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
    f"CREATE POLICY {table}_by_region ON {table} FOR ALL USING ({RULE}) WITH CHECK ({RULE});"
    for table in TABLES
) + (
    # a secret is nobody's business but the system's, which compares and never shows it
    "ALTER TABLE registry_devicecredential ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY registry_devicecredential_system ON registry_devicecredential FOR ALL USING (gl_system()) WITH CHECK (gl_system());"
)
UNLOCK = "".join(
    f"DROP POLICY {table}_by_region ON {table}; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;" for table in TABLES
) + "DROP POLICY registry_devicecredential_system ON registry_devicecredential; ALTER TABLE registry_devicecredential DISABLE ROW LEVEL SECURITY;"


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial"), ("journal", "0002_guards")]
    operations = [migrations.RunSQL(LOCK, UNLOCK)]
