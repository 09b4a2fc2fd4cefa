"""The first use of a token is seen by its owner and the system."""

from django.db import migrations

POLICY = """
ALTER TABLE access_tokenuse ENABLE ROW LEVEL SECURITY;
CREATE POLICY access_tokenuse_own ON access_tokenuse FOR ALL
    USING (gl_system() OR EXISTS (SELECT 1 FROM allauth_idp_oidc_token t WHERE t.id = token_id AND t.user_id = gl_user()))
    WITH CHECK (gl_system());
"""
UNDO = "DROP POLICY access_tokenuse_own ON access_tokenuse; ALTER TABLE access_tokenuse DISABLE ROW LEVEL SECURITY;"


class Migration(migrations.Migration):
    dependencies = [("access", "0005_token_use")]
    operations = [migrations.RunSQL(POLICY, UNDO)]
