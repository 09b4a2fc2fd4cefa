from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('cases', '0005_row_security_once'),
    ]

    operations = [
        migrations.AddField(
            model_name='case',
            name='centre_stars',
            field=models.SmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='case',
            name='ratings',
            field=models.JSONField(default=dict, help_text='rater → stars; each rates once'),
        ),
        migrations.AlterField(
            model_name='case',
            name='stars',
            field=models.FloatField(help_text="mean of its reporters' stars", null=True),
        ),
        migrations.AddConstraint(
            model_name='case',
            constraint=models.CheckConstraint(condition=models.Q(('centre_stars__isnull', True), models.Q(('centre_stars__gte', 1), ('centre_stars__lte', 5)), _connector='OR'), name='cases_case_centre_stars_1_to_5'),
        ),
        # What was rated before counts as one reporter's stars.
        migrations.RunSQL(
            "UPDATE cases_case SET ratings = jsonb_build_object('source:0', stars::int) WHERE stars IS NOT NULL",
            migrations.RunSQL.noop,
        ),
    ]
