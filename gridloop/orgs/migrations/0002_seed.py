"""The rows without which nothing works: the levels of territory, default office hours and the version counters."""

from datetime import date

from django.db import migrations

LEVELS = [
    ("province", 1, 2, "省", "Province"),
    ("city", 2, 4, "市", "City"),
    ("county", 3, 6, "县（区）", "County"),
    ("town", 4, 9, "镇街", "Town"),
    ("village", 5, 12, "村社", "Village"),
    ("grid", 6, 15, "网格", "Grid"),
    ("micro_grid", 7, 18, "微网格", "Micro-grid"),
]
OFFICE_HOURS = [["08:30", "12:00"], ["14:00", "17:30"]]


def seed(apps, schema_editor):
    alias = schema_editor.connection.alias
    level = apps.get_model("orgs", "Level")
    level.objects.using(alias).bulk_create(
        [level(code=c, rank=r, digits=d, name_zh=zh, name_en=en) for c, r, d, zh, en in LEVELS], ignore_conflicts=True
    )
    apps.get_model("orgs", "WorkingHours").objects.using(alias).get_or_create(
        region_code="", valid_from=date(2000, 1, 1), defaults={"ranges": OFFICE_HOURS, "tz": "Asia/Shanghai"}
    )
    version = apps.get_model("orgs", "TableVersion")
    version.objects.using(alias).bulk_create([version(name=n) for n in ("regions", "calendar")], ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [("orgs", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
