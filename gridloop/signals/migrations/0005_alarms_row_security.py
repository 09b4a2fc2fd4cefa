"""Alarms name homes and devices: only the system's own frame reads and writes them; people see what the scenes make of them."""

from django.db import migrations

TABLES = ("signals_alarm", "signals_alarmchange")
SQL = "".join(
    f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;\n"
    f"CREATE POLICY {table}_system ON {table} TO gridloop_app USING (gl_system()) WITH CHECK (gl_system());\n"
    for table in TABLES
)
SQL += "ALTER TABLE signals_detectorstate ALTER COLUMN data SET STORAGE EXTERNAL;\n"
UNDO = "".join(f"DROP POLICY {table}_system ON {table};\nALTER TABLE {table} DISABLE ROW LEVEL SECURITY;\n" for table in TABLES)


class Migration(migrations.Migration):
    dependencies = [("signals", "0004_alarms"), ("journal", "0002_guards")]
    operations = [migrations.RunSQL(SQL, UNDO)]
