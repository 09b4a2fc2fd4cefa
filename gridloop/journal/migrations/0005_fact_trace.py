"""Beside a fact, outside of its hash: where in a trace it was written. A nullable column without default: no row is touched."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("journal", "0004_places")]
    operations = [
        migrations.AddField(
            "fact", "trace", models.CharField(max_length=55, null=True, help_text="W3C traceparent, when traces are collected; not hashed")
        )
    ]
