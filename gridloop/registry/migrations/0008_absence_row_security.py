"""Who may not see a household does not see when nobody is there: the household's own row security decides."""

from django.db import migrations

RULE = "gl_system() OR EXISTS (SELECT 1 FROM registry_household h WHERE h.id = household_id)"
LOCK = (
    "ALTER TABLE registry_absence ENABLE ROW LEVEL SECURITY;"
    f"CREATE POLICY registry_absence_of_household ON registry_absence FOR ALL USING ({RULE}) WITH CHECK ({RULE});"
)
UNLOCK = "DROP POLICY registry_absence_of_household ON registry_absence; ALTER TABLE registry_absence DISABLE ROW LEVEL SECURITY;"


class Migration(migrations.Migration):
    dependencies = [("registry", "0007_absence")]
    operations = [migrations.RunSQL(LOCK, UNLOCK)]
