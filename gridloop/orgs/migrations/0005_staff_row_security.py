"""Staff are seen by those who work here (anybody with a territory or unit of their own) and by themselves; rows are written by the system."""

from django.db import migrations

LOCK = """
ALTER TABLE orgs_staff ENABLE ROW LEVEL SECURITY;
CREATE POLICY orgs_staff_system ON orgs_staff FOR ALL USING ((SELECT gl_system())) WITH CHECK ((SELECT gl_system()));
CREATE POLICY orgs_staff_see ON orgs_staff FOR SELECT USING (
    cardinality((SELECT gl_places())) > 0 OR id = (SELECT gl_staff()));
"""
UNLOCK = """
DROP POLICY orgs_staff_see ON orgs_staff;
DROP POLICY orgs_staff_system ON orgs_staff;
ALTER TABLE orgs_staff DISABLE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("orgs", "0004_calendar"), ("journal", "0004_places")]
    operations = [migrations.RunSQL(LOCK, UNLOCK)]
