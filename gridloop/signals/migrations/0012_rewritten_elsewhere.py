from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signals", "0011_forgotten_row_security")]
    operations = [
        migrations.AddField(model_name="batch", name="elsewhere", field=models.BooleanField(db_default=False, default=False)),
    ]
