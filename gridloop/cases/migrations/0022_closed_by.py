"""Why a case was closed, beside the case; what its trace told before is brought over by the next migration."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cases", "0021_tiles")]
    operations = [
        migrations.AddField(
            model_name="case",
            name="closed_by",
            field=models.TextField(blank=True, default="", db_default="", help_text="why its process closed it; '' of a closed one: done"),
        ),
    ]
