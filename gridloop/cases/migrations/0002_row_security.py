"""Who may see a case, in the database: the second lock behind the selectors. Everything of a case is seen with the case."""

from django.db import migrations

SQL = """
CREATE SEQUENCE cases_code_seq AS bigint START 1;
ALTER TABLE cases_case ENABLE ROW LEVEL SECURITY;
CREATE POLICY cases_case_see ON cases_case FOR SELECT USING (
    gl_system() OR region LIKE ANY (gl_regions()) OR unit_ids && gl_units() OR gl_staff() = ANY (staff_ids) OR reporter_id = gl_user());
CREATE POLICY cases_case_change ON cases_case FOR UPDATE USING (
    gl_system() OR region LIKE ANY (gl_regions()) OR unit_ids && gl_units() OR gl_staff() = ANY (staff_ids) OR reporter_id = gl_user())
    WITH CHECK (true);
CREATE POLICY cases_case_add ON cases_case FOR INSERT WITH CHECK (gl_system());

ALTER TABLE cases_source ENABLE ROW LEVEL SECURITY;
CREATE POLICY cases_source_see ON cases_source FOR ALL USING (
    gl_system() OR EXISTS (SELECT 1 FROM cases_case c WHERE c.id = cases_source.case_id)) WITH CHECK (gl_system());
ALTER TABLE flow_task ENABLE ROW LEVEL SECURITY;
CREATE POLICY flow_task_see ON flow_task FOR ALL USING (
    gl_system() OR EXISTS (SELECT 1 FROM cases_case c WHERE c.code = flow_task.case_code)) WITH CHECK (gl_system());
ALTER TABLE flow_limit ENABLE ROW LEVEL SECURITY;
CREATE POLICY flow_limit_see ON flow_limit FOR ALL USING (
    gl_system() OR EXISTS (SELECT 1 FROM cases_case c WHERE c.code = flow_limit.case_code)) WITH CHECK (gl_system());
ALTER TABLE flow_instance ENABLE ROW LEVEL SECURITY;
CREATE POLICY flow_instance_see ON flow_instance FOR ALL USING (
    gl_system() OR EXISTS (SELECT 1 FROM cases_case c WHERE c.code = flow_instance.case_code)) WITH CHECK (gl_system());
CREATE POLICY journal_fact_see_case ON journal_fact FOR SELECT USING (
    case_code IS NOT NULL AND EXISTS (SELECT 1 FROM cases_case c WHERE c.code = journal_fact.case_code));
CREATE POLICY journal_sealed_see_case ON journal_sealed FOR SELECT USING (
    case_code IS NOT NULL AND EXISTS (SELECT 1 FROM cases_case c WHERE c.code = journal_sealed.case_code));
"""

UNDO = """
DROP POLICY journal_sealed_see_case ON journal_sealed;
DROP POLICY journal_fact_see_case ON journal_fact;
DROP POLICY flow_instance_see ON flow_instance; ALTER TABLE flow_instance DISABLE ROW LEVEL SECURITY;
DROP POLICY flow_limit_see ON flow_limit; ALTER TABLE flow_limit DISABLE ROW LEVEL SECURITY;
DROP POLICY flow_task_see ON flow_task; ALTER TABLE flow_task DISABLE ROW LEVEL SECURITY;
DROP POLICY cases_source_see ON cases_source; ALTER TABLE cases_source DISABLE ROW LEVEL SECURITY;
DROP POLICY cases_case_add ON cases_case; DROP POLICY cases_case_change ON cases_case; DROP POLICY cases_case_see ON cases_case;
ALTER TABLE cases_case DISABLE ROW LEVEL SECURITY;
DROP SEQUENCE cases_code_seq;
"""


class Migration(migrations.Migration):
    dependencies = [("cases", "0001_initial"), ("flow", "0001_initial"), ("journal", "0002_guards")]
    operations = [migrations.RunSQL(SQL, UNDO)]
