"""Devices' own detectors go on in lanes of their partitions from where all detectors stood together: history tells them the rest."""

from django.db import migrations

# A lane that finds where it stood, and nothing else, begins there (``detecting.AtWork``).
SQL = """
INSERT INTO signals_position (consumer, partition, seq, owner, epoch)
SELECT 'devices', partition, seq, '', 0 FROM signals_position WHERE consumer = 'detectors' ON CONFLICT DO NOTHING;
INSERT INTO signals_detectorstate (name, part, data)
SELECT 'meta:' || p.partition, s.part - u.place, s.data FROM signals_position p
CROSS JOIN (SELECT COALESCE(max(convert_from(data, 'UTF8')::int), 0) AS place FROM signals_detectorstate WHERE name = 'in_use') u
JOIN signals_detectorstate s ON s.name = 'meta' AND s.part >= u.place AND s.part < u.place + 1000000
WHERE p.consumer = 'detectors' ON CONFLICT DO NOTHING;
"""
UNDO = """
DELETE FROM signals_position WHERE consumer = 'devices';
DELETE FROM signals_detectorstate WHERE name LIKE '%:%';
DELETE FROM signals_name WHERE space LIKE '%:%';
"""


class Migration(migrations.Migration):
    dependencies = [("signals", "0008_hands")]
    operations = [migrations.RunSQL(SQL, UNDO)]
