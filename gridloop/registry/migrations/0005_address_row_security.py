"""Addresses that cases have told are read by the system only; whoever asks gets a place, never whose it was."""

from django.db import migrations

SQL = """
ALTER TABLE registry_addresspoint ENABLE ROW LEVEL SECURITY;
CREATE POLICY registry_addresspoint_system ON registry_addresspoint FOR ALL USING (gl_system()) WITH CHECK (gl_system());
"""
UNDO = """
DROP POLICY registry_addresspoint_system ON registry_addresspoint;
ALTER TABLE registry_addresspoint DISABLE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0004_address_points"), ("journal", "0002_guards")]
    operations = [migrations.RunSQL(SQL, UNDO)]
