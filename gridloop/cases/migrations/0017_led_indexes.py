"""Indexes for what a department sees: by who leads in the order of time, and the few cases it only takes part in. Made while others write."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

NAMES = ("cases_case_led", "cases_case_takes_part")


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY
    dependencies = [("cases", "0016_postings")]
    operations = [
        migrations.RunSQL([f"DROP INDEX CONCURRENTLY IF EXISTS {name}" for name in NAMES], migrations.RunSQL.noop),
        AddIndexConcurrently("case", models.Index(fields=["lead_unit_id", "-reported_at", "-id"], name="cases_case_led")),
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY cases_case_takes_part ON cases_case USING gin (unit_ids) "
            "WHERE unit_ids IS DISTINCT FROM ARRAY[lead_unit_id]",
            "DROP INDEX CONCURRENTLY IF EXISTS cases_case_takes_part",
        ),
    ]
