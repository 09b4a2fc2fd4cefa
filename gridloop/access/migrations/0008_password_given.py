"""Whether a password was set by somebody else. With a default in the database, so that the version before can go on writing."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0007_lang_of_the_browser")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="password_given",
            field=models.BooleanField(db_default=False, default=False, help_text="set by somebody else: its person must change it"),
        )
    ]
