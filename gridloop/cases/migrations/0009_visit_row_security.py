"""Where people checked in is read by the system only; what follows from it is told in a doubt."""

from django.db import migrations

SQL = """
ALTER TABLE cases_visit ENABLE ROW LEVEL SECURITY;
CREATE POLICY cases_visit_system ON cases_visit FOR ALL USING (gl_system()) WITH CHECK (gl_system());
"""
UNDO = """
DROP POLICY cases_visit_system ON cases_visit;
ALTER TABLE cases_visit DISABLE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("cases", "0008_doubts")]
    operations = [migrations.RunSQL(SQL, UNDO)]
