"""An installed pack version never changes: running cases keep the rules they were opened with."""

from django.db import migrations

SQL = """
CREATE FUNCTION scenes_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'pack versions never change: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege'; END $$;
CREATE TRIGGER scenes_packversion_fixed BEFORE UPDATE OR DELETE ON scenes_packversion FOR EACH ROW EXECUTE FUNCTION scenes_refuse();
"""

UNDO = """
DROP TRIGGER scenes_packversion_fixed ON scenes_packversion;
DROP FUNCTION scenes_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("scenes", "0001_initial")]
    operations = [migrations.RunSQL(SQL, UNDO)]
