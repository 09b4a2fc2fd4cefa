"""Counters against flooding and guessing; nothing here outlives a crash, so it needs no write-ahead log."""

from django.db import migrations

METERS = """
CREATE UNLOGGED TABLE access_meter (key varchar(200) PRIMARY KEY, count integer NOT NULL, ends timestamptz NOT NULL);
CREATE INDEX access_meter_ends ON access_meter (ends);
"""


class Migration(migrations.Migration):
    dependencies = [("access", "0002_guards")]
    operations = [migrations.RunSQL(METERS, "DROP TABLE access_meter")]
