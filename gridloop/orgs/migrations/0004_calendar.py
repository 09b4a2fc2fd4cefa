"""Holidays and make-up days of the years the published table knows; later years are added by people or by a newer table."""

import chinese_calendar
from django.db import migrations


def seed(apps, schema_editor):
    day = apps.get_model("orgs", "CalendarDay")
    table = [("holiday", chinese_calendar.holidays), ("makeup", chinese_calendar.workdays)]
    rows = [day(day=d, kind=k, name=chinese_calendar.Holiday(n).chinese) for k, days in table for d, n in days.items()]
    day.objects.using(schema_editor.connection.alias).bulk_create(rows, ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [("orgs", "0003_natural_keys")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
