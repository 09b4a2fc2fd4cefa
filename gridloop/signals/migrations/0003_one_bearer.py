"""Tokens are looked up by one function for every door: ``gl_bearer`` of the access room."""

from django.db import migrations

SQL = "DROP FUNCTION gl_ingest_token(text, timestamptz)"
UNDO = """
CREATE FUNCTION gl_ingest_token(token_hash text, at timestamptz, OUT user_id bigint, OUT scopes text, OUT roles text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$ SELECT * FROM gl_bearer(token_hash, at) $$;
REVOKE ALL ON FUNCTION gl_ingest_token(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gl_ingest_token(text, timestamptz) TO gridloop_ingest;
"""


class Migration(migrations.Migration):
    dependencies = [("signals", "0002_doors"), ("access", "0002_guards")]
    operations = [migrations.RunSQL(SQL, UNDO)]
