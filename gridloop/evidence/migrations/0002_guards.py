"""Row security of evidence: the sender sees what was sent; who sees the case sees its evidence (policy in the cases room)."""

from django.db import migrations

GUARDS = """
ALTER TABLE evidence_file ENABLE ROW LEVEL SECURITY;
CREATE POLICY evidence_file_system ON evidence_file FOR ALL USING (gl_system()) WITH CHECK (gl_system());
CREATE POLICY evidence_file_own ON evidence_file FOR SELECT USING (uploaded_by_id = gl_user());
"""

UNDO = """
DROP POLICY evidence_file_own ON evidence_file;
DROP POLICY evidence_file_system ON evidence_file;
ALTER TABLE evidence_file DISABLE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("evidence", "0001_initial"), ("journal", "0002_guards")]
    operations = [migrations.RunSQL(GUARDS, UNDO)]
