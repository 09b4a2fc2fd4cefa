"""Who watches holds no other role: the database refuses what the verb refuses."""

from django.db import migrations

APART = """
CREATE FUNCTION access_roles_apart() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('access_roles_apart', NEW.user_id));
    IF EXISTS (
        SELECT 1 FROM access_rolegrant g
        WHERE g.user_id = NEW.user_id AND g.id IS DISTINCT FROM NEW.id AND g.role <> NEW.role
          AND (g.role IN ('security_officer', 'auditor') OR NEW.role IN ('security_officer', 'auditor'))
          AND tstzrange(g.valid_from, g.valid_to) && tstzrange(NEW.valid_from, NEW.valid_to)
    ) THEN
        RAISE EXCEPTION 'account % cannot hold % beside its other roles', NEW.user_id, NEW.role
            USING ERRCODE = 'check_violation', CONSTRAINT = 'access_roles_apart';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER access_roles_apart BEFORE INSERT OR UPDATE ON access_rolegrant FOR EACH ROW EXECUTE FUNCTION access_roles_apart();
"""
UNDO = "DROP TRIGGER access_roles_apart ON access_rolegrant; DROP FUNCTION access_roles_apart();"


class Migration(migrations.Migration):
    dependencies = [("access", "0003_meters")]
    operations = [migrations.RunSQL(APART, UNDO)]
