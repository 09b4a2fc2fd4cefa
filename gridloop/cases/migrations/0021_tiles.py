"""Streets: the newest cases of a small map are found by place and time together, and a map reads its cases once.

An index of tiles of 0.002 degrees (about 200 m) in the order of time takes the place of the one by longitude and latitude, which knew no time:
what a hundred metres around a new report are looked through for is what came since yesterday, not all that ever was there.
"""

from importlib import import_module

from django.db import migrations

TILE, PLACE = "cases_case_tile", "cases_case_place"
TILES = r"""
CREATE OR REPLACE FUNCTION gl_tile(lon float8, lat float8) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT floor(lon * 500)::bigint * 131072 + floor((lat + 90) * 500)::bigint';
"""
# old programs ask for clusters by gl_cases_clusters, which stays for them
FIND = r"""
-- of a box; null when it is no small one (about 6 x 6 km)
CREATE FUNCTION gl_tiles(west float8, south float8, east float8, north float8) RETURNS bigint[] LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    IF west > east OR south > north THEN RETURN '{}'; END IF;
    IF (floor(east * 500) - floor(west * 500) + 1) * (floor(north * 500) - floor(south * 500) + 1) > 1000 THEN RETURN NULL; END IF;
    RETURN ARRAY(SELECT x * 131072 + y FROM generate_series(floor(west * 500)::bigint, floor(east * 500)::bigint) x,
        generate_series(floor((south + 90) * 500)::bigint, floor((north + 90) * 500)::bigint) y);
END $$;

-- all cases of a small box that were reported since then, whoever may see them: row security says which of them are shown. The owner's, because
-- row security lets no index serve a condition that is not leakproof, as that of the tiles is not
CREATE FUNCTION gl_cases_near(west float8, east float8, south float8, north float8, since timestamptz) RETURNS bigint[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN ARRAY(SELECT c.id FROM cases_case c WHERE gl_tile(c.lon, c.lat) = ANY (gl_tiles(west, south, east, north)) AND c.reported_at >= since
        AND c.lon BETWEEN west AND east AND c.lat BETWEEN south AND north);
END $$;

-- the newest of a small box. ``said`` says the box once more, so that the planner takes it for rarer than it is: how far the first look goes
-- back is what the tiles hold of what else is said (``besides``)
CREATE FUNCTION gl_cases_of_tiles(tiles bigint[], said text, besides text, low timestamptz, high timestamptz, most int) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET random_page_cost = '1.1' AS $$
DECLARE
    inside text := format('gl_tile(c.lon, c.lat) = ANY (%L::bigint[])', tiles); found bigint[] := '{}'; piece bigint[];
    top timestamptz := high; bottom timestamptz; step interval; got int;
BEGIN
    step := greatest('31 days', (high - low) * least(1, 3.0 * most / greatest(1, gl_cases_estimate(format('%s AND %s', inside, besides)))));
    LOOP
        bottom := greatest(low, top - step);
        EXECUTE format('SELECT array_agg(id) FROM (SELECT x.id FROM (SELECT c.id, c.reported_at FROM cases_case c WHERE %s AND c.reported_at >= %L '
            'AND c.reported_at < %L AND %s) x ORDER BY x.reported_at DESC, x.id DESC LIMIT %s) x',
            inside, bottom, top, said, most - cardinality(found)) INTO piece;
        found := found || coalesce(piece, '{}');
        EXIT WHEN cardinality(found) >= most OR bottom <= low;
        top := bottom;
        got := coalesce(cardinality(piece), 0);  -- as far again as what is missing is likely to need
        step := step * least(8, 1.2 * (most - cardinality(found)) / greatest(1, got));
    END LOOP;
    RETURN found;
END $$;

-- whether a box's cases are read sooner by its tiles than along those the viewer sees, where these have an index of their own in the order of
-- time: the newest of them tell how many lie in the box. Not asked for a grid, whose newest may lie deep in the index of its village
CREATE FUNCTION gl_cases_by_tiles(f jsonb, low timestamptz, high timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp AS $$
DECLARE newest bigint[];
BEGIN
    IF f ->> 'region' ~ '^[0-9]{13}' OR EXISTS (SELECT FROM unnest(gl_regions()) r WHERE r ~ '^[0-9]{13}') THEN RETURN true; END IF;
    newest := gl_cases_led(f, gl_cases_where(f - 'bbox'), low, high, 60);
    RETURN newest IS NULL OR (SELECT count(*) FROM cases_case c WHERE c.id = ANY (newest)
        AND c.lon BETWEEN (f #>> '{bbox,0}')::float8 AND (f #>> '{bbox,2}')::float8
        AND c.lat BETWEEN (f #>> '{bbox,1}')::float8 AND (f #>> '{bbox,3}')::float8) < 0.2 * cardinality(newest);
END $$;

-- ids of the few there are, or clusters
CREATE FUNCTION gl_cases_mapped(f jsonb, most int, few int, cell float8, OUT ids bigint[], OUT lon float8, OUT lat float8, OUT cases bigint,
    OUT worst int) RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $$
DECLARE found bigint[] := ARRAY(SELECT gl_cases_ids(f, most));
BEGIN
    IF cardinality(found) <= few THEN
        ids := found;
        RETURN NEXT;
    ELSE
        RETURN QUERY SELECT NULL::bigint[], avg(c.lon), avg(c.lat), count(*), min(c.severity)::int FROM cases_case c WHERE c.id = ANY (found)
            GROUP BY floor(c.lon / cell), floor(c.lat / cell);
    END IF;
END $$;
REVOKE ALL ON FUNCTION gl_cases_mapped(jsonb, int, int, float8), gl_cases_near(float8, float8, float8, float8, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gl_cases_mapped(jsonb, int, int, float8), gl_cases_near(float8, float8, float8, float8, timestamptz) TO gridloop_app;
"""
DROP = """
DROP FUNCTION gl_cases_mapped(jsonb, int, int, float8), gl_cases_near(float8, float8, float8, float8, timestamptz),
    gl_cases_of_tiles(bigint[], text, text, timestamptz, timestamptz, int), gl_cases_by_tiles(jsonb, timestamptz, timestamptz),
    gl_tiles(float8, float8, float8, float8);
"""
BEFORE = "        ELSIF NOT is_open AND NOT f ? 'codes' AND coalesce(f ->> 'origin', '') = ''\n"
SMALL = """        ELSIF tiles IS NOT NULL AND NOT is_open AND NOT f ? 'codes' AND coalesce(f ->> 'origin', '') = ''
            AND gl_cases_by_tiles(f, low, high) THEN
            found := gl_cases_of_tiles(tiles, said, gl_cases_where(f - 'bbox'), low, high, most);
"""
DECLARED = "found bigint[] := '{}'; piece bigint[]; part text;"
BOX = "gl_tiles((f #>> '{bbox,0}')::float8, (f #>> '{bbox,1}')::float8, (f #>> '{bbox,2}')::float8, (f #>> '{bbox,3}')::float8)"


def ids() -> str:
    """Cases of a small box are found by its tiles."""
    said = import_module("gridloop.cases.migrations.0016_postings").IDS
    for old, new in ((BEFORE, SMALL + BEFORE), (DECLARED, f"{DECLARED} tiles bigint[] := {BOX};")):
        if said.count(old) != 1:
            raise ValueError(f"gl_cases_ids of 0016 is not what it was: {old!r}")
        said = said.replace(old, new)
    return said


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY
    dependencies = [("cases", "0020_counts")]
    operations = [
        migrations.RunSQL(TILES, "DROP FUNCTION gl_tile(float8, float8)"),
        migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {TILE}", migrations.RunSQL.noop),
        migrations.RunSQL(
            f"CREATE INDEX CONCURRENTLY {TILE} ON cases_case (gl_tile(lon, lat), reported_at)", f"DROP INDEX CONCURRENTLY IF EXISTS {TILE}"
        ),
        migrations.RunSQL("ANALYZE cases_case", migrations.RunSQL.noop),  # what is known of an expression is known by its index only
        migrations.RunSQL(
            f"BEGIN; {FIND} {ids()} COMMIT;", f"BEGIN; {import_module('gridloop.cases.migrations.0016_postings').IDS} {DROP} COMMIT;"
        ),
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    f"DROP INDEX CONCURRENTLY IF EXISTS {PLACE}", f"CREATE INDEX CONCURRENTLY {PLACE} ON cases_case (lon, lat)"
                )
            ],
            [migrations.RemoveIndex("case", PLACE)],
        ),
    ]
