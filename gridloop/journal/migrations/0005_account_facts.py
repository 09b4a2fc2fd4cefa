"""The security log reads the newest facts of accounts among millions of others."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("journal", "0004_places")]
    operations = [
        migrations.RunSQL(
            "CREATE INDEX journal_fact_accounts ON journal_fact (id) WHERE starts_with(chain, 'account:')",
            "DROP INDEX journal_fact_accounts",
        )
    ]
