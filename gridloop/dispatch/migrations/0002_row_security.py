"""Which cases were alike is read by the system only: whoever asks sees a code when the case itself shows itself to them."""

from django.db import migrations

SQL = """
ALTER TABLE dispatch_likeness ENABLE ROW LEVEL SECURITY;
CREATE POLICY dispatch_likeness_system ON dispatch_likeness FOR ALL USING (gl_system()) WITH CHECK (gl_system());
"""
UNDO = """
DROP POLICY dispatch_likeness_system ON dispatch_likeness;
ALTER TABLE dispatch_likeness DISABLE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("dispatch", "0001_initial"), ("journal", "0002_guards")]
    operations = [migrations.RunSQL(SQL, UNDO)]
