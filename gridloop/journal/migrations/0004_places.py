"""``gl_places()``: the territory of every grant, those bound to a department too, for houses, enterprises, places, devices and staff."""

from django.db import migrations

FUNCTION = """
CREATE FUNCTION gl_places() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT COALESCE(string_to_array(NULLIF(current_setting('gridloop.places', true), ''), ','), '{}'::text[]) $$;
"""


class Migration(migrations.Migration):
    dependencies = [("journal", "0003_retention")]
    operations = [migrations.RunSQL(FUNCTION, "DROP FUNCTION gl_places()")]
