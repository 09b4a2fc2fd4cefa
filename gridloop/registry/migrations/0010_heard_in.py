"""When a device was heard last stands in no index: being heard again then touches its row alone, in the room its page keeps for it.

Pages written before keep none; they come to have it as rows move on.
"""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY
    dependencies = [("registry", "0009_device_changes")]
    operations = [
        migrations.RunSQL("ALTER TABLE registry_device SET (fillfactor = 70)", "ALTER TABLE registry_device RESET (fillfactor)"),
        migrations.RunSQL(
            "ALTER TABLE registry_device ADD COLUMN IF NOT EXISTS heard_in timestamptz",
            "ALTER TABLE registry_device DROP COLUMN IF EXISTS heard_in",
            [migrations.AddField("device", "heard_in", models.DateTimeField(null=True))],
        ),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS registry_device_heard_in", migrations.RunSQL.noop),
        AddIndexConcurrently("device", models.Index(fields=["status", "heard_in"], name="registry_device_heard_in")),
        RemoveIndexConcurrently("device", "registry_device_heard"),
    ]
