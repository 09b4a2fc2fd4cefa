"""How devices have been: changes of status, seen by those who see the device."""
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('registry', '0008_absence_row_security'),
    ]

    operations = [
        migrations.CreateModel(
            name='DeviceChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('before', models.CharField(max_length=16)),
                ('after', models.CharField(max_length=16)),
                ('device', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='registry.device')),
            ],
            options={
                'indexes': [models.Index(fields=['device', 'at'], name='registry_devicechange_of'), models.Index(fields=['at'], name='registry_devicechange_at')],
            },
        ),
        migrations.RunSQL(
            "ALTER TABLE registry_devicechange ENABLE ROW LEVEL SECURITY;"
            "CREATE POLICY registry_devicechange_by_device ON registry_devicechange FOR ALL "
            "USING (EXISTS (SELECT FROM registry_device d WHERE d.id = device_id)) "
            "WITH CHECK (EXISTS (SELECT FROM registry_device d WHERE d.id = device_id));",
            "DROP POLICY registry_devicechange_by_device ON registry_devicechange; ALTER TABLE registry_devicechange DISABLE ROW LEVEL SECURITY;",
        ),
    ]
