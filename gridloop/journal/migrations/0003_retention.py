"""Every sealed value has an end: those made without one (reporters, words, notes, forms) get three years from when they were sealed."""

from django.db import migrations, models

GIVE_AN_END = "UPDATE journal_sealed SET retain_until = created_at + interval '1095 days' WHERE retain_until IS NULL"


class Migration(migrations.Migration):
    dependencies = [("journal", "0002_guards")]
    operations = [
        migrations.RunSQL(GIVE_AN_END, migrations.RunSQL.noop),
        migrations.AlterField(
            "sealed", "retain_until", models.DateTimeField(help_text="by its purpose: journal.rules.RETENTION")
        ),
    ]
