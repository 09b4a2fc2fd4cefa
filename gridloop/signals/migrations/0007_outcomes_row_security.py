"""Outcomes and proposals are seen where the device is seen; only the system writes them."""

from django.db import migrations

TABLES = ("signals_witness", "signals_proposal")
SQL = "".join(
    f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;\n"
    f"CREATE POLICY {table}_system ON {table} TO gridloop_app USING (gl_system()) WITH CHECK (gl_system());\n"
    f"CREATE POLICY {table}_see ON {table} FOR SELECT TO gridloop_app USING (region LIKE ANY (gl_places()));\n"
    for table in TABLES
)
UNDO = "".join(
    f"DROP POLICY {table}_see ON {table};\nDROP POLICY {table}_system ON {table};\nALTER TABLE {table} DISABLE ROW LEVEL SECURITY;\n"
    for table in TABLES
)


class Migration(migrations.Migration):
    dependencies = [("signals", "0006_outcomes"), ("journal", "0002_guards"), ("registry", "0002_row_security")]
    operations = [migrations.RunSQL(SQL, UNDO)]
