"""Row-security helpers, the trace's place column, and the guards that make facts append-only."""

from django.db import migrations

FUNCTIONS = """
CREATE FUNCTION gl_system() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT COALESCE(NULLIF(current_setting('gridloop.system', true), '') = 'on', false) $$;
CREATE FUNCTION gl_user() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT NULLIF(current_setting('gridloop.user', true), '')::bigint $$;
CREATE FUNCTION gl_staff() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT NULLIF(current_setting('gridloop.staff', true), '')::bigint $$;
CREATE FUNCTION gl_regions() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT COALESCE(string_to_array(NULLIF(current_setting('gridloop.regions', true), ''), ','), '{}'::text[]) $$;
CREATE FUNCTION gl_units() RETURNS int[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT COALESCE(string_to_array(NULLIF(current_setting('gridloop.units', true), ''), ',')::int[], '{}'::int[]) $$;

INSERT INTO journal_offset (value) VALUES (0);
CREATE FUNCTION gl_tx() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT pg_current_xact_id()::text::bigint + (SELECT value FROM journal_offset) $$;
ALTER TABLE journal_fact ADD COLUMN tx bigint NOT NULL DEFAULT gl_tx();
CREATE INDEX journal_fact_place ON journal_fact (tx, id);

CREATE FUNCTION journal_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'facts are append-only: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege'; END $$;
CREATE TRIGGER journal_fact_append_only BEFORE UPDATE OR DELETE ON journal_fact FOR EACH ROW EXECUTE FUNCTION journal_refuse();
CREATE TRIGGER journal_fact_no_truncate BEFORE TRUNCATE ON journal_fact FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse();
CREATE TRIGGER journal_checkpoint_append_only BEFORE UPDATE OR DELETE ON journal_checkpoint
    FOR EACH ROW EXECUTE FUNCTION journal_refuse();
CREATE TRIGGER journal_checkpoint_no_truncate BEFORE TRUNCATE ON journal_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse();
ALTER TABLE journal_fact ENABLE ALWAYS TRIGGER journal_fact_append_only;
ALTER TABLE journal_fact ENABLE ALWAYS TRIGGER journal_fact_no_truncate;
ALTER TABLE journal_sealed ENABLE ROW LEVEL SECURITY;
ALTER TABLE journal_fact ENABLE ROW LEVEL SECURITY;
CREATE POLICY journal_fact_add ON journal_fact FOR INSERT WITH CHECK (true);
CREATE POLICY journal_fact_see_own ON journal_fact FOR SELECT USING (
    gl_system() OR (case_code IS NULL AND ((chain = 'org' AND gl_user() IS NOT NULL) OR chain = 'account:' || gl_user())));
CREATE POLICY journal_sealed_system ON journal_sealed FOR ALL USING (gl_system()) WITH CHECK (true);
"""

UNDO = """
DROP POLICY journal_sealed_system ON journal_sealed;
DROP POLICY journal_fact_see_own ON journal_fact;
DROP POLICY journal_fact_add ON journal_fact;
DROP TRIGGER journal_fact_append_only ON journal_fact; DROP TRIGGER journal_fact_no_truncate ON journal_fact;
DROP TRIGGER journal_checkpoint_append_only ON journal_checkpoint; DROP TRIGGER journal_checkpoint_no_truncate ON journal_checkpoint;
DROP FUNCTION journal_refuse();
ALTER TABLE journal_fact DROP COLUMN tx;
DROP FUNCTION gl_tx(), gl_units(), gl_regions(), gl_staff(), gl_user(), gl_system();
"""


class Migration(migrations.Migration):
    dependencies = [("journal", "0001_initial")]
    operations = [migrations.RunSQL(FUNCTIONS, UNDO)]
