"""Overdue in lists and counts is what the cockpit counts: past the limit of the stage, or of the whole case. The stage alone left out
whoever had a fresh stage in a case that was late already."""

from importlib import import_module

from django.db import migrations

ENDED = import_module("gridloop.cases.migrations.0013_finding").ENDED
LIST, COUNT = f"c.stage_due_at < %1$L AND NOT (c.status IN {ENDED})", "FILTER (WHERE c.stage_due_at < now)"
# the ids apart: ended cases have a limit in the past, too, so a plain OR looks like nearly every case and is looked for among all of them
LATE = f"SELECT o.id FROM cases_case o WHERE o.due_at < %1$L AND NOT (o.status IN {ENDED})"
BOTH = f"(c.stage_due_at < %1$L OR c.id = ANY (ARRAY({LATE}))) AND NOT (c.status IN {ENDED})"
EITHER = "FILTER (WHERE c.stage_due_at < now OR c.due_at < now)"


def changed(function, old, new):
    """The function as it stands, with one part of it another: owner, rights and settings stay."""
    old, new = (text.replace("'", "''") if function.startswith("gl_cases_where") else text for text in (old, new))
    return f"""
DO $do$ DECLARE made text := pg_get_functiondef('{function}'::regprocedure); BEGIN
    IF strpos(made, $part${old}$part$) = 0 THEN RAISE EXCEPTION '{function} is another'; END IF;
    EXECUTE replace(made, $part${old}$part$, $part${new}$part$);
END $do$;"""


WHERE, GROUPS = "gl_cases_where(jsonb)", "gl_cases_groups(jsonb, int, timestamptz)"


class Migration(migrations.Migration):
    dependencies = [("cases", "0024_words_planned_once")]
    operations = [
        migrations.RunSQL(
            changed(WHERE, LIST, BOTH) + changed(GROUPS, COUNT, EITHER), changed(WHERE, BOTH, LIST) + changed(GROUPS, EITHER, COUNT)
        )
    ]
