"""The security log reads the newest facts of accounts among millions of others. Built beside the work that goes on."""

from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("journal", "0005_fact_trace")]
    operations = [
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS journal_fact_accounts ON journal_fact (id) WHERE starts_with(chain, 'account:')",
            "DROP INDEX CONCURRENTLY IF EXISTS journal_fact_accounts",
        )
    ]
