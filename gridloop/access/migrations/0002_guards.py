"""Row security of accounts, the shared cache for log-in limits, and the token check for processes without rights on our tables."""

from django.db import migrations

GUARDS = """
ALTER TABLE access_user ENABLE ROW LEVEL SECURITY;
-- everyone's name may be read (a log-in has no viewer yet); only the system and the person change a row
CREATE POLICY access_user_see ON access_user FOR SELECT USING (true);
CREATE POLICY access_user_add ON access_user FOR INSERT WITH CHECK (gl_system());
CREATE POLICY access_user_change ON access_user FOR UPDATE USING (gl_system() OR id = gl_user()) WITH CHECK (gl_system() OR id = gl_user());
CREATE POLICY access_user_drop ON access_user FOR DELETE USING (gl_system());

ALTER TABLE access_rolegrant ENABLE ROW LEVEL SECURITY;
CREATE POLICY access_rolegrant_system ON access_rolegrant FOR ALL USING (gl_system()) WITH CHECK (gl_system());
CREATE POLICY access_rolegrant_own ON access_rolegrant FOR SELECT USING (user_id = gl_user());

ALTER TABLE access_looklog ENABLE ROW LEVEL SECURITY;
-- no policy for UPDATE: a look that was written stays as it is; the system deletes it when its time is over
CREATE POLICY access_looklog_add ON access_looklog FOR INSERT WITH CHECK (gl_system() OR user_id = gl_user());
CREATE POLICY access_looklog_see ON access_looklog FOR SELECT USING (
    gl_system() OR user_id = gl_user() OR unit_id = ANY(gl_units())
    OR EXISTS (SELECT 1 FROM orgs_unit u WHERE u.id = unit_id AND u.region_code LIKE ANY(gl_regions())));
CREATE POLICY access_looklog_drop ON access_looklog FOR DELETE USING (gl_system());

ALTER TABLE allauth_idp_oidc_token ENABLE ROW LEVEL SECURITY;
CREATE POLICY access_token_own ON allauth_idp_oidc_token FOR ALL
    USING (gl_system() OR user_id = gl_user()) WITH CHECK (gl_system() OR user_id = gl_user());

-- The caller hashes (SHA-256, hex), so that no token ever stands in a statement log.
CREATE FUNCTION gl_bearer(token_hash text, at timestamptz) RETURNS TABLE (user_id bigint, scopes text, roles text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, t.scopes, ARRAY(
        SELECT DISTINCT g.role::text FROM access_rolegrant g
        WHERE g.user_id = u.id AND (g.valid_from IS NULL OR g.valid_from <= at) AND (g.valid_to IS NULL OR g.valid_to > at))
    FROM allauth_idp_oidc_token t JOIN access_user u ON u.id = t.user_id
    WHERE t.type = 'at' AND t.hash = token_hash AND u.is_active AND (t.expires_at IS NULL OR t.expires_at > at)
$$;
REVOKE ALL ON FUNCTION gl_bearer(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gl_bearer(text, timestamptz) TO gridloop_app, gridloop_ingest;

-- Counters of failed log-ins, shared by every web process; nothing here outlives a crash, so it needs no write-ahead log.
CREATE UNLOGGED TABLE access_cache (cache_key varchar(255) PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL);
CREATE INDEX access_cache_expires ON access_cache (expires);
"""

UNDO = """
DROP TABLE access_cache;
DROP FUNCTION gl_bearer(text, timestamptz);
DROP POLICY access_token_own ON allauth_idp_oidc_token; ALTER TABLE allauth_idp_oidc_token DISABLE ROW LEVEL SECURITY;
DROP POLICY access_looklog_add ON access_looklog; DROP POLICY access_looklog_see ON access_looklog;
DROP POLICY access_looklog_drop ON access_looklog; ALTER TABLE access_looklog DISABLE ROW LEVEL SECURITY;
DROP POLICY access_rolegrant_own ON access_rolegrant; DROP POLICY access_rolegrant_system ON access_rolegrant;
ALTER TABLE access_rolegrant DISABLE ROW LEVEL SECURITY;
DROP POLICY access_user_see ON access_user; DROP POLICY access_user_add ON access_user;
DROP POLICY access_user_change ON access_user; DROP POLICY access_user_drop ON access_user;
ALTER TABLE access_user DISABLE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0001_initial"),
        ("journal", "0002_guards"),
        ("allauth_idp_oidc", "0003_client_allow_uri_wildcards"),
    ]
    operations = [migrations.RunSQL(GUARDS, UNDO)]
