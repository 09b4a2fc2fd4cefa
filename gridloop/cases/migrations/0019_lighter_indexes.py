"""Indexes that say less: a case costs less to keep, and so do its changes.

``code`` had an index for equality and another for its beginning; one whose order is that of the characters does both and holds the codes
apart. The indexes of units and people leave out the cases that have none: every case of a history wrote an entry for "nobody" into three of
them. What asks says so as well, or the planner would not know that the smaller index holds all it wants.
"""

from importlib import import_module

from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations, models

UNIQUE = models.UniqueConstraint(fields=["code"], opclasses=["text_pattern_ops"], name="cases_case_one_of_code")
GIN = "CREATE INDEX CONCURRENTLY {} ON cases_case USING gin ({}) WHERE {}"
# an empty array has no dimensions. Said so, because the planner takes it for nearly always true: a condition that it took for rare
# (unit_ids <> '{}', where most cases have none) made it read all cases of a type instead of a village's newest
INDEXES = {
    "cases_case_of_units": ("unit_ids", "array_ndims(unit_ids) IS NOT NULL"),
    "cases_case_of_staff": ("staff_ids", "array_ndims(staff_ids) IS NOT NULL"),
    "cases_case_shared": ("unit_ids", "array_ndims(unit_ids) IS NOT NULL AND unit_ids IS DISTINCT FROM ARRAY[lead_unit_id]"),
}
OF_CODE = "CREATE UNIQUE INDEX CONCURRENTLY cases_case_one_of_code ON cases_case (code text_pattern_ops)"
LIKE_NAME = "cases_case_code_afd6bdc8_like"  # as Django names it
NAMES = ("cases_case_one_of_code", *INDEXES)
SOME = (  # a condition and what it says more
    ("c.unit_ids && %L::int[]", " AND array_ndims(c.unit_ids) IS NOT NULL"),
    ("c.staff_ids @> ARRAY[%s]", " AND array_ndims(c.staff_ids) IS NOT NULL"),
    ("c.unit_ids @> ARRAY[%1$L::int]", " AND array_ndims(c.unit_ids) IS NOT NULL"),
)


def functions() -> str:
    """Those of 0013 and 0018 that ask for units or people."""
    finding, villages = (import_module(f"gridloop.cases.migrations.{name}") for name in ("0013_finding", "0018_villages"))
    led = villages.LED[villages.LED.index("CREATE OR REPLACE FUNCTION gl_cases_led(") :]
    return (finding.SCOPE + finding.WHERE).replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION") + led


def asking(said: str) -> str:
    for condition, more in SOME:
        said = said.replace(condition, condition + more)
    return said


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY
    dependencies = [("cases", "0018_villages")]
    operations = [
        migrations.RunSQL([f"DROP INDEX CONCURRENTLY IF EXISTS {name}" for name in NAMES], migrations.RunSQL.noop),
        migrations.RunSQL(f"BEGIN; {asking(functions())} COMMIT;", f"BEGIN; {functions()} COMMIT;"),
        *(
            migrations.RunSQL(GIN.format(name, *what), f"DROP INDEX CONCURRENTLY IF EXISTS {name}") for name, what in INDEXES.items()
        ),
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(OF_CODE, "DROP INDEX CONCURRENTLY IF EXISTS cases_case_one_of_code"),
                migrations.RunSQL(
                    "ALTER TABLE cases_case DROP CONSTRAINT IF EXISTS cases_case_code_key",
                    "ALTER TABLE cases_case ADD CONSTRAINT cases_case_code_key UNIQUE (code)",
                ),
                migrations.RunSQL(
                    f"DROP INDEX CONCURRENTLY IF EXISTS {LIKE_NAME}",
                    f"CREATE INDEX CONCURRENTLY {LIKE_NAME} ON cases_case (code text_pattern_ops)",
                ),
            ],
            [migrations.AlterField("case", "code", models.TextField()), migrations.AddConstraint("case", UNIQUE)],
        ),
        RemoveIndexConcurrently("case", "cases_case_units"),
        RemoveIndexConcurrently("case", "cases_case_staff"),
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS cases_case_takes_part",
            "CREATE INDEX CONCURRENTLY cases_case_takes_part ON cases_case USING gin (unit_ids) "
            "WHERE unit_ids IS DISTINCT FROM ARRAY[lead_unit_id]",
        ),
    ]
