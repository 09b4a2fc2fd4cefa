from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scenes", "0003_rehearsals")]

    operations = [
        migrations.AddField(
            model_name="packswitch",
            name="basis",
            field=models.TextField(blank=True, db_default="", default="", help_text="the legal basis recorded for a pack that needs one"),
        ),
    ]
