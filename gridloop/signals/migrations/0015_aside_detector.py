from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signals", "0014_heard")]
    operations = [
        migrations.CreateModel(
            name="AsideDetector",
            fields=[
                ("detector", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("version", models.IntegerField()),
                ("since", models.DateTimeField()),
                ("fault", models.CharField(max_length=500)),
                ("lane", models.CharField(max_length=16)),
                ("until", models.DateTimeField()),
                ("position", models.JSONField()),
            ],
        ),
    ]
