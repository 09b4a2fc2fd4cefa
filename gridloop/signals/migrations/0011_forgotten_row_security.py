"""What is to be forgotten, and counts of irregular readings by device, are the system's alone; devices are asked for one by one."""

from django.db import migrations

TABLES = ("signals_forgotten", "signals_irregular")
SQL = "".join(
    f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;\n"
    f"CREATE POLICY {table}_system ON {table} TO gridloop_app USING (gl_system()) WITH CHECK (gl_system());\n"
    for table in TABLES
)
UNDO = "".join(f"DROP POLICY {table}_system ON {table};\nALTER TABLE {table} DISABLE ROW LEVEL SECURITY;\n" for table in TABLES)


class Migration(migrations.Migration):
    dependencies = [("signals", "0010_forgotten"), ("journal", "0002_guards")]
    operations = [migrations.RunSQL(SQL, UNDO)]
