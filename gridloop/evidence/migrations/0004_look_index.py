"""The index over looks, made while others write; what an attempt that was broken off left behind is made anew."""

from django.contrib.postgres.indexes import GinIndex
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY
    dependencies = [("evidence", "0003_look")]
    operations = [
        migrations.RunSQL(
            [
                "DROP INDEX CONCURRENTLY IF EXISTS evidence_look",
                "CREATE INDEX CONCURRENTLY evidence_look ON evidence_file USING gin (look_bands)",
            ],
            "DROP INDEX IF EXISTS evidence_look",
            state_operations=[migrations.AddIndex("file", GinIndex(fields=["look_bands"], name="evidence_look"))],
        )
    ]
