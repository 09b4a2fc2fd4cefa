"""The security log reads the newest facts of accounts among millions of others. Built beside the work that goes on.

What an attempt that was broken off (a lock that did not come) left behind is no use to anybody and is made anew.
"""

from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("journal", "0005_fact_trace")]
    operations = [
        migrations.RunSQL(
            [
                "DROP INDEX CONCURRENTLY IF EXISTS journal_fact_accounts",
                "CREATE INDEX CONCURRENTLY journal_fact_accounts ON journal_fact (id) WHERE starts_with(chain, 'account:')",
            ],
            "DROP INDEX CONCURRENTLY IF EXISTS journal_fact_accounts",
        )
    ]
