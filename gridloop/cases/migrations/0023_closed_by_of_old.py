"""Cases that were closed for another reason than that they were done get it from their traces, a part at a time; and the limits' index.

Only few are: nearly every case was done, which the empty word says as well.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

AT_ONCE = 200_000  # facts looked at in a transaction
LAST = "SELECT coalesce(max(id), 0) FROM journal_fact"
MOVE = """UPDATE cases_case c SET closed_by = f.data ->> 'reason' FROM journal_fact f
WHERE f.id > %s AND f.id <= %s AND f.action = 'closed' AND f.data ->> 'reason' <> 'done' AND c.code = f.case_code AND c.closed_by = ''"""


def move(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(LAST)
        last = cursor.fetchone()[0]
        for first in range(0, last, AT_ONCE):
            cursor.execute(MOVE, [first, first + AT_ONCE])


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY, and so that every part is a transaction of its own
    dependencies = [("cases", "0022_closed_by"), ("journal", "0006_account_facts")]
    operations = [
        migrations.RunPython(move, migrations.RunPython.noop),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS cases_case_due", migrations.RunSQL.noop),
        AddIndexConcurrently("case", models.Index(fields=["due_at"], name="cases_case_due", condition=Q(due_at__isnull=False))),
    ]
