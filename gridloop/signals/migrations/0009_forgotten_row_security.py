"""What is to be forgotten is asked for and done by the system alone."""

from django.db import migrations

SQL = """
ALTER TABLE signals_forgotten ENABLE ROW LEVEL SECURITY;
CREATE POLICY signals_forgotten_system ON signals_forgotten TO gridloop_app USING (gl_system()) WITH CHECK (gl_system());
"""
UNDO = """
DROP POLICY signals_forgotten_system ON signals_forgotten;
ALTER TABLE signals_forgotten DISABLE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("signals", "0008_forgotten"), ("journal", "0002_guards")]
    operations = [migrations.RunSQL(SQL, UNDO)]
