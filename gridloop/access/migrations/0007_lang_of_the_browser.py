"""Whose language is not chosen sees that of the browser: empty is allowed. Nobody's choice is changed."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('access', '0006_token_use_row_security'),
        ('orgs', '0006_duties_version'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='user',
            name='user_lang_known',
        ),
        migrations.AlterField(
            model_name='user',
            name='lang',
            field=models.CharField(blank=True, choices=[('zh', '中文'), ('en', 'English')], default='', max_length=2),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.CheckConstraint(condition=models.Q(('lang__in', ['', 'zh', 'en'])), name='user_lang_known'),
        ),
    ]
