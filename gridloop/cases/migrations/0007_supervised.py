from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('cases', '0006_ratings'),
    ]

    operations = [
        migrations.AddField(
            model_name='case',
            name='supervised',
            field=models.IntegerField(default=0, help_text='how often it was put under supervision'),
        ),
    ]
