"""The indexes by which cases are found, made while others write; one that a broken-off attempt left unfinished is made anew."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

ENDS = ["closed", "voided", "rejected"]
NAMES = ("cases_case_code_end", "cases_case_type_prefix", "cases_case_closed", "cases_case_ended")


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY
    dependencies = [("cases", "0013_finding")]
    operations = [
        migrations.RunSQL([f"DROP INDEX CONCURRENTLY IF EXISTS {name}" for name in NAMES], migrations.RunSQL.noop),
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY cases_case_code_end ON cases_case (reverse(code) text_pattern_ops)",
            "DROP INDEX CONCURRENTLY IF EXISTS cases_case_code_end",
        ),
        AddIndexConcurrently("case", models.Index(fields=["type"], name="cases_case_type_prefix", opclasses=["varchar_pattern_ops"])),
        AddIndexConcurrently(
            "case", models.Index(fields=["closed_at"], name="cases_case_closed", condition=models.Q(closed_at__isnull=False))
        ),
        AddIndexConcurrently(
            "case",
            models.Index(fields=["severity", "stage_due_at", "id"], name="cases_case_ended", condition=models.Q(status__in=ENDS)),
        ),
        RemoveIndexConcurrently("case", "cases_case_region"),
    ]
