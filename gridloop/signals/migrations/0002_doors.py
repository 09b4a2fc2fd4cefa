"""Rights of the log: who may append and read, and the two look-ups the ingest door makes without rights on other tables."""

from django.db import migrations

SQL = """
ALTER TABLE signals_batch ALTER COLUMN data SET STORAGE EXTERNAL;
ALTER TABLE signals_batch ENABLE ROW LEVEL SECURITY;
CREATE POLICY signals_batch_system ON signals_batch TO gridloop_app USING (gl_system()) WITH CHECK (gl_system());
CREATE POLICY signals_batch_append ON signals_batch FOR INSERT TO gridloop_ingest WITH CHECK (true);
CREATE POLICY signals_batch_read ON signals_batch FOR SELECT TO gridloop_ingest USING (true);
GRANT SELECT, INSERT, UPDATE ON signals_partition TO gridloop_ingest;
GRANT SELECT, INSERT ON signals_batch TO gridloop_ingest;

CREATE FUNCTION gl_ingest_token(token_hash text, at timestamptz, OUT user_id bigint, OUT scopes text, OUT roles text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, t.scopes, ARRAY(SELECT DISTINCT g.role::text FROM access_rolegrant g WHERE g.user_id = u.id
           AND (g.valid_from IS NULL OR g.valid_from <= at) AND (g.valid_to IS NULL OR g.valid_to > at))
    FROM allauth_idp_oidc_token t JOIN access_user u ON u.id = t.user_id
    WHERE t.type = 'at' AND t.hash = token_hash AND u.is_active AND (t.expires_at IS NULL OR t.expires_at > at)
$$;
CREATE FUNCTION gl_ingest_device(device_code text, secret_hashed text, at timestamptz) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM registry_devicecredential c JOIN registry_device d ON d.id = c.device_id
    WHERE d.code = device_code AND c.secret_hash = secret_hashed AND (c.revoked_at IS NULL OR c.revoked_at > at))
$$;
REVOKE ALL ON FUNCTION gl_ingest_token(text, timestamptz), gl_ingest_device(text, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gl_ingest_token(text, timestamptz), gl_ingest_device(text, text, timestamptz) TO gridloop_ingest;
"""

UNDO = """
DROP FUNCTION gl_ingest_token(text, timestamptz), gl_ingest_device(text, text, timestamptz);
DROP POLICY signals_batch_read ON signals_batch;
DROP POLICY signals_batch_append ON signals_batch;
DROP POLICY signals_batch_system ON signals_batch;
ALTER TABLE signals_batch DISABLE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("signals", "0001_initial"),
        ("journal", "0002_guards"),
        ("access", "0001_initial"),
        ("registry", "0001_initial"),
        ("allauth_idp_oidc", "0003_client_allow_uri_wildcards"),
    ]
    operations = [migrations.RunSQL(SQL, UNDO)]
