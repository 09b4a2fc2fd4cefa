"""Devices that are overdue are found by their interval: an hour without a word is late for one and in time for another."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY
    dependencies = [("registry", "0010_heard_in")]
    operations = [
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS registry_device_due_in", migrations.RunSQL.noop),
        AddIndexConcurrently("device", models.Index(fields=["status", "interval_seconds", "heard_in"], name="registry_device_due_in")),
        RemoveIndexConcurrently("device", "registry_device_heard_in"),
    ]
