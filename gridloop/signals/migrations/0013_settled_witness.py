"""Witnesses of cases that are over are settled by the job that looks at them (``outcomes.look_again``), some thousand at a time."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signals", "0012_rewritten_elsewhere")]
    operations = [
        migrations.AddField(model_name="witness", name="settled", field=models.BooleanField(db_default=False, default=False)),
        migrations.AddIndex(
            model_name="witness",
            index=models.Index(
                condition=models.Q(("alarm__isnull", False), ("settled", False)), fields=["alarm"], name="signals_witness_live"
            ),
        ),
    ]
