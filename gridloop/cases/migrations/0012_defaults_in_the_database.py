"""Columns that v0.1.0 does not know get their default in the database, so that it goes on serving until the new program is started."""

from django.db import migrations

SET = """
ALTER TABLE cases_case ALTER COLUMN checked_by SET DEFAULT '', ALTER COLUMN doubts SET DEFAULT '[]'::jsonb;
ALTER TABLE cases_source ALTER COLUMN address SET DEFAULT '', ALTER COLUMN came_under SET DEFAULT '';
"""
UNSET = """
ALTER TABLE cases_case ALTER COLUMN checked_by DROP DEFAULT, ALTER COLUMN doubts DROP DEFAULT;
ALTER TABLE cases_source ALTER COLUMN address DROP DEFAULT, ALTER COLUMN came_under DROP DEFAULT;
"""


class Migration(migrations.Migration):
    dependencies = [("cases", "0011_source_place")]
    operations = [migrations.RunSQL(SET, UNSET)]
