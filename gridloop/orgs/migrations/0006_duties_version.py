"""A counter that every change of a duty, a unit or a post raises, whoever writes it: what is kept in memory is then read anew."""

from django.db import migrations

SQL = """
INSERT INTO orgs_tableversion (name, value) VALUES ('duties', 1) ON CONFLICT DO NOTHING;
CREATE FUNCTION gl_duties_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE orgs_tableversion SET value = greatest(value + 1, (extract(epoch FROM clock_timestamp()) * 1e6)::bigint) WHERE name = 'duties';
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION gl_duties_changed() FROM PUBLIC;
CREATE TRIGGER duties_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON orgs_duty FOR EACH STATEMENT EXECUTE FUNCTION gl_duties_changed();
CREATE TRIGGER duties_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON orgs_unit FOR EACH STATEMENT EXECUTE FUNCTION gl_duties_changed();
CREATE TRIGGER duties_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON orgs_post FOR EACH STATEMENT EXECUTE FUNCTION gl_duties_changed();
"""
UNDO = """
DROP TRIGGER duties_changed ON orgs_duty;
DROP TRIGGER duties_changed ON orgs_unit;
DROP TRIGGER duties_changed ON orgs_post;
DROP FUNCTION gl_duties_changed();
DELETE FROM orgs_tableversion WHERE name = 'duties';
"""


class Migration(migrations.Migration):
    dependencies = [("orgs", "0005_staff_row_security")]
    operations = [migrations.RunSQL(SQL, UNDO)]
