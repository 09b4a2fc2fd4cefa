"""While a new version migrates, the one before still serves: what it inserts knows nothing of new columns."""

from __future__ import annotations

import django.db.migrations as migrations
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED

# the last migration of each app in v0.1.0: what is older was never applied beside a running version
V0_1_0 = {
    "access": 2,
    "cases": 7,
    "dispatch": 0,
    "evidence": 2,
    "flow": 1,
    "journal": 4,
    "notices": 2,
    "orgs": 5,
    "registry": 3,
    "scenes": 2,
    "signals": 3,
}


def test_a_column_that_must_be_filled_is_filled_by_the_database_from_its_first_moment() -> None:
    found = []
    for (app, name), migration in sorted(MigrationLoader(None).disk_migrations.items(), key=lambda one: one[0]):
        if app not in V0_1_0 or int(name[:4]) <= V0_1_0[app]:
            continue
        sql = " ".join(str(op.sql) for op in migration.operations if isinstance(op, migrations.RunSQL))
        for op in migration.operations:
            if isinstance(op, migrations.AddField) and not op.field.null and op.field.db_default is NOT_PROVIDED:
                assert f"ALTER COLUMN {op.name} SET DEFAULT" in sql, f"{app}.{name}: {op.model_name}.{op.name} stops the version before"
                found.append(op.name)
    assert found == ["checked_by", "doubts", "address", "came_under"], "the test looks at what it should"
