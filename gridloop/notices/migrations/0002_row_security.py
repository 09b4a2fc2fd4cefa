"""Deliveries are read and written by the system; people see their own through selectors."""

from django.db import migrations

SQL = """
ALTER TABLE notices_delivery ENABLE ROW LEVEL SECURITY;
CREATE POLICY notices_delivery_system ON notices_delivery FOR ALL USING (gl_system()) WITH CHECK (gl_system());
"""
UNDO = """
DROP POLICY notices_delivery_system ON notices_delivery;
ALTER TABLE notices_delivery DISABLE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("notices", "0001_initial"), ("journal", "0002_guards")]
    operations = [migrations.RunSQL(SQL, UNDO)]
