"""Small territories read along an index of their village in the order of time; counts and map clusters made where the ids are found.

The planner takes region, place and time for independent, and a random page for four times as dear as the next one: for a grid of a deployment
with ten million cases it built bitmaps of a million rows to find two thousand.
"""

from importlib import import_module

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Left

VILLAGE = models.Index(Left("region", 12), models.F("reported_at").desc(), models.F("id").desc(), name="cases_case_village")
LED = r"""
CREATE FUNCTION gl_cases_of_village(village text, said text, most int) RETURNS bigint[] LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp SET enable_bitmapscan = off SET enable_seqscan = off AS $$
DECLARE found bigint[];
BEGIN
    EXECUTE format('SELECT ARRAY(SELECT c.id FROM cases_case c WHERE left(c.region, 12) = %L AND %s '
        'ORDER BY c.reported_at DESC, c.id DESC LIMIT %s)', village, said, most) INTO found;
    RETURN found;
END $$;

-- what lies in a few villages, what a department leads: each along its own index in the order of time. What a viewer sees besides lies in small
-- indexes: what its units only take part in, its people, those who reported. Null: whoever looks sees more than that
CREATE OR REPLACE FUNCTION gl_cases_led(f jsonb, said text, low timestamptz, high timestamptz, most int) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    units int[] := '{}'; villages text[] := '{}'; parts text[] := '{}'; asked text := coalesce(f ->> 'region', '');
    one text; found bigint[] := '{}'; piece bigint[]; alone int := 0;
BEGIN
    IF f ->> 'unit' <> '' THEN
        units := ARRAY[(f ->> 'unit')::int];
    ELSIF asked ~ '^[0-9]{12}' THEN
        villages := ARRAY[left(asked, 12)];
    ELSIF gl_system() THEN
        RETURN NULL;
    ELSE
        villages := ARRAY(SELECT DISTINCT left(t.region, 12) FROM (SELECT rtrim(r, '%') AS region FROM unnest(gl_regions()) r) t
            WHERE starts_with(asked, t.region) OR starts_with(t.region, asked));
        IF EXISTS (SELECT FROM unnest(villages) v WHERE v !~ '^[0-9]{12}$') THEN RETURN NULL; END IF;
        units := gl_units();
        IF gl_staff() IS NOT NULL THEN parts := parts || format('c.staff_ids @> ARRAY[%s]', gl_staff()); END IF;
        IF gl_user() IS NOT NULL THEN parts := parts || format('c.reporter_id = %s', gl_user()); END IF;
    END IF;
    IF cardinality(units) + cardinality(villages) > 8 THEN RETURN NULL; END IF;
    IF cardinality(units) > 0 THEN
        parts := parts || format('c.unit_ids && %L::int[] AND c.unit_ids IS DISTINCT FROM ARRAY[c.lead_unit_id]', units);
    END IF;
    said := said || format(' AND c.reported_at >= %L AND c.reported_at < %L', low, high);
    FOREACH one IN ARRAY parts LOOP  -- OFFSET: few rows by their own index, never the walk through all by time
        EXECUTE format('SELECT ARRAY(SELECT x.id FROM (SELECT c.id, c.reported_at FROM cases_case c WHERE %s AND %s OFFSET 0) x '
            'ORDER BY x.reported_at DESC, x.id DESC LIMIT %s)', one, said, most) INTO piece;
        found := found || piece;
    END LOOP;
    FOREACH one IN ARRAY villages LOOP
        piece := gl_cases_of_village(one, said, most);
        alone := CASE WHEN found = '{}' THEN cardinality(piece) ELSE 0 END;
        found := found || piece;
    END LOOP;
    FOR one IN SELECT unnest(units)::text LOOP
        piece := gl_cases_led_by(one::int, said, most);
        alone := CASE WHEN found = '{}' THEN cardinality(piece) ELSE 0 END;
        found := found || piece;
    END LOOP;
    IF cardinality(found) = alone THEN RETURN found; END IF;  -- of one index only: it is in order
    RETURN ARRAY(SELECT c.id FROM cases_case c WHERE c.id = ANY (found) ORDER BY c.reported_at DESC, c.id DESC LIMIT most);
END $$;
"""

# row security is not asked again for ids that are the viewer's own to see
COUNTED = r"""
ALTER FUNCTION gl_cases_newest(text, timestamptz, timestamptz, int) SET random_page_cost = '1.1';
ALTER FUNCTION gl_cases_ids(jsonb, int) SET random_page_cost = '1.1';
CREATE FUNCTION gl_cases_groups(f jsonb, most int, now timestamptz, OUT severity int, OUT status text, OUT desk_waits boolean, OUT cases bigint,
    OUT late bigint) RETURNS SETOF record LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $$
    SELECT c.severity, c.status, c.desk_waits, count(*), count(*) FILTER (WHERE c.stage_due_at < now)
    FROM cases_case c WHERE c.id = ANY (ARRAY(SELECT gl_cases_ids(f, most))) GROUP BY 1, 2, 3 $$;
CREATE FUNCTION gl_cases_clusters(f jsonb, most int, cell float8, OUT lon float8, OUT lat float8, OUT cases bigint, OUT worst int)
    RETURNS SETOF record LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $$
    SELECT avg(c.lon), avg(c.lat), count(*), min(c.severity)
    FROM cases_case c WHERE c.id = ANY (ARRAY(SELECT gl_cases_ids(f, most))) GROUP BY floor(c.lon / cell), floor(c.lat / cell) $$;
REVOKE ALL ON FUNCTION gl_cases_groups(jsonb, int, timestamptz), gl_cases_clusters(jsonb, int, float8) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gl_cases_groups(jsonb, int, timestamptz), gl_cases_clusters(jsonb, int, float8) TO gridloop_app;
"""


def undo() -> str:
    led = import_module("gridloop.cases.migrations.0016_postings").FIND
    led = led[led.index("CREATE FUNCTION gl_cases_led(f jsonb") : led.index("-- the cases of a code's beginning")]
    return led.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION") + """
DROP FUNCTION gl_cases_of_village(text, text, int), gl_cases_groups(jsonb, int, timestamptz), gl_cases_clusters(jsonb, int, float8);
ALTER FUNCTION gl_cases_newest(text, timestamptz, timestamptz, int) RESET random_page_cost;
ALTER FUNCTION gl_cases_ids(jsonb, int) RESET random_page_cost;
"""


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY
    dependencies = [("cases", "0017_led_indexes")]
    operations = [
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS cases_case_village", migrations.RunSQL.noop),
        AddIndexConcurrently("case", VILLAGE),
        migrations.RunSQL(f"BEGIN; {LED} {COUNTED} COMMIT;", f"BEGIN; {undo()} COMMIT;"),
    ]
