"""Every report asks for the address at its point: by an index, made while others write."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY
    dependencies = [("registry", "0005_address_row_security")]
    operations = [
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS registry_building_place", migrations.RunSQL.noop),
        AddIndexConcurrently("building", models.Index(fields=["lon", "lat"], name="registry_building_place")),
    ]
