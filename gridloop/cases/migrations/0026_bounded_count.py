"""A count by words ends where it would take long: what was counted so far, then a null for "there may be more".

With ten million cases a common word was counted for seconds in a grid, whose cases are few among those of its village; the list itself
was there after ten milliseconds and waited for its count. Programs before this one name no ``effort`` and are told all. What is read at a time is half of what it was, too: a list seldom needs more.
"""

from importlib import import_module

from django.db import migrations

posted, counts, overdue = (import_module(f"gridloop.cases.migrations.{name}") for name in ("0016_postings", "0020_counts", "0025_overdue"))

LOOKED_UP, AT_A_TIME = 20, 500_000  # what a case looked up costs, in entries of a list; bytes of the lists read in one step
HOLDING_OLD = "gl_cases_holding(bigint[], bigint[], bigint, bigint, timestamptz, timestamptz)"
OF_WORDS_OLD = "gl_cases_of_words(text, text, bigint[], timestamptz, timestamptz, int)"
OF_WORDS_NEW = "gl_cases_of_words(text, text, bigint[], timestamptz, timestamptz, int, bigint)"
IDS = "gl_cases_ids(jsonb, int)"


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        if old not in text:
            raise ValueError(f"not there: {old}")
        text = text.replace(old, new)
    return text


before_holding = counts.HOLDING.replace("CREATE OR REPLACE FUNCTION", "CREATE FUNCTION")
HOLDING = replaced(
    before_holding,
    ("OUT reached bigint)", "OUT reached bigint, OUT entries bigint)"),
    ("so_far < 1000000", f"so_far < {AT_A_TIME}"),
    ("bytes < 1000000", f"bytes < {AT_A_TIME}"),
    (
        "    held := ARRAY(SELECT a + p FROM unnest(above) a, unnest(wanted) p);\n",
        "    held := ARRAY(SELECT a + p FROM unnest(above) a, unnest(wanted) p);\n"
        "    SELECT coalesce(sum(pg_column_size(p.cases)), 0) / 8 INTO entries FROM cases_posting p WHERE p.key = ANY (held);\n",
    ),
)
before_of_words = posted.FIND[
    posted.FIND.index("-- of the cases that hold the pairs those") : posted.FIND.index("-- along the index by who leads")
]
OF_WORDS = replaced(
    before_of_words,
    ("high timestamptz, most int)", "high timestamptz, most int, effort bigint DEFAULT NULL)"),
    ("-- of the cases", "-- ``effort``: what the walk may cost (entries of lists, but not those of places and units), asked after each step; where it ends for that,\n-- a null comes last. Null: as long as it takes\n-- of the cases"),
    ("bottom bigint;", "bottom bigint; entries bigint; spent bigint := 0;"),
    ("h.cases, h.seconds, h.reached INTO cases, seconds, bottom", "h.cases, h.seconds, h.reached, h.entries INTO cases, seconds, bottom, entries"),
    ("        i := 1;\n", "        spent := spent + entries;\n        i := 1;\n"),
    ("            share := greatest", f"            spent := spent + {LOOKED_UP} * (j - i + 1);\n            share := greatest"),
    (
        "        at := bottom - 1;\n",
        "        at := bottom - 1;\n        IF spent > effort AND at >= last AND cardinality(found) < most THEN RETURN found || NULL::bigint; END IF;\n",
    ),
)
CALLED, BOUNDED = (
    "CASE WHEN urgent THEN greatest(most, 10001) ELSE most END)",
    "CASE WHEN urgent THEN greatest(most, 10001) ELSE most END, (f ->> 'effort')::bigint)",
)
TOLD = "ELSIF code <> '' THEN"
COUNTED = f"ELSIF code <> '' AND f ? 'any' THEN  -- by its code and by its words\n        RETURN QUERY SELECT DISTINCT u FROM unnest(found) u;\n    {TOLD}"


class Migration(migrations.Migration):
    dependencies = [("cases", "0025_overdue")]
    operations = [
        migrations.RunSQL(
            f"DROP FUNCTION {OF_WORDS_OLD}, {HOLDING_OLD};"
            + HOLDING
            + OF_WORDS
            + overdue.changed(IDS, CALLED, BOUNDED)
            + overdue.changed(IDS, TOLD, COUNTED),
            f"DROP FUNCTION {OF_WORDS_NEW}, {HOLDING_OLD};"
            + before_holding
            + before_of_words
            + overdue.changed(IDS, COUNTED, TOLD)
            + overdue.changed(IDS, BOUNDED, CALLED),
        )
    ]
