"""Who sees a case sees its evidence."""

from django.db import migrations

SQL = """
CREATE POLICY evidence_file_see_case ON evidence_file FOR SELECT USING (
    case_code IS NOT NULL AND EXISTS (SELECT 1 FROM cases_case c WHERE c.code = evidence_file.case_code));
"""


class Migration(migrations.Migration):
    dependencies = [("cases", "0002_row_security"), ("evidence", "0002_guards")]
    operations = [migrations.RunSQL(SQL, "DROP POLICY evidence_file_see_case ON evidence_file")]
