"""Hearing devices is a consumer of its own. It goes on from where effects, of which it was a part, had come."""

from django.db import migrations

SQL = """
INSERT INTO signals_position (consumer, partition, seq, owner, epoch)
SELECT 'heard', partition, seq, '', 0 FROM signals_position WHERE consumer = 'effects' ON CONFLICT DO NOTHING;
"""


class Migration(migrations.Migration):
    dependencies = [("signals", "0013_settled_witness")]
    operations = [migrations.RunSQL(SQL, "DELETE FROM signals_position WHERE consumer = 'heard'")]
