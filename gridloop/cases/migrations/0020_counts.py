"""Counts and searches of those who see little of a long history read less.

A grid's cases are found in the index of their village by their region, which stands in it, instead of by a look at each of the village's. What
a viewer sees besides is put among them without reading them all again. Where tags say whose a case is, only the rarest pair of a word is
looked up: the tags leave so few that the texts say the rest sooner than the lists of the other pairs.
"""

from importlib import import_module

from django.db import migrations

OLD, NEW = "cases_case_village", "cases_case_of_village"
KEYS = "(left(region, 12), reported_at DESC, id DESC{})"
LED = r"""
DROP FUNCTION gl_cases_of_village(text, text, int);
-- newest first; of the regions from ``first`` to ``last`` with all below them, which the index knows
CREATE FUNCTION gl_cases_of_village(village text, first text, last text, said text, most int) RETURNS bigint[] LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp SET enable_bitmapscan = off SET enable_seqscan = off AS $$
DECLARE found bigint[]; within text := '';
BEGIN
    IF first > village THEN within := format(' AND c.region ~>=~ %L AND c.region ~<~ %L', first, last || ':'); END IF;  -- : comes after 9
    EXECUTE format('SELECT ARRAY(SELECT c.id FROM cases_case c WHERE left(c.region, 12) = %L%s AND %s '
        'ORDER BY c.reported_at DESC, c.id DESC LIMIT %s)', village, within, said, most) INTO found;
    RETURN found;
END $$;

-- the newest of all these (``in_any``: as many of them), in no order: ``listed`` is the newest of one index, ``others`` are whatever there is besides
CREATE FUNCTION gl_cases_among(listed bigint[], others bigint[], in_any boolean, most int) RETURNS bigint[] LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE more bigint[] := ARRAY(SELECT unnest(others) EXCEPT SELECT unnest(listed)); kept int; held int := cardinality(listed);
BEGIN
    IF in_any OR held + cardinality(more) <= most THEN RETURN (listed || more)[1:most]; END IF;
    kept := greatest(0, least(held, most - cardinality(more)));  -- whatever falls out is behind these, or among the others
    RETURN listed[1:kept] || ARRAY(SELECT c.id FROM cases_case c WHERE c.id = ANY (listed[kept + 1:held] || more)
        ORDER BY c.reported_at DESC, c.id DESC LIMIT most - kept);
END $$;

-- what lies in a few villages, what a department leads: each along its own index in the order of time. What a viewer sees besides lies in small
-- indexes: what its units only take part in, its people, those who reported. Null: whoever looks sees more than that
CREATE OR REPLACE FUNCTION gl_cases_led(f jsonb, said text, low timestamptz, high timestamptz, most int) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    units int[] := '{}'; regions text[] := '{}'; parts text[] := '{}'; asked text := coalesce(f ->> 'region', '');
    one text; village record; listed bigint[] := '{}'; others bigint[] := '{}'; piece bigint[]; villages int;
BEGIN
    IF f ->> 'unit' <> '' THEN
        units := ARRAY[(f ->> 'unit')::int];
    ELSIF asked ~ '^[0-9]{12}' THEN
        regions := ARRAY[asked];
    ELSIF gl_system() THEN
        RETURN NULL;
    ELSE
        regions := ARRAY(SELECT DISTINCT t.region FROM (SELECT rtrim(r, '%') AS region FROM unnest(gl_regions()) r) t
            WHERE starts_with(asked, t.region) OR starts_with(t.region, asked));
        IF EXISTS (SELECT FROM unnest(regions) r WHERE r !~ '^[0-9]{12}') THEN RETURN NULL; END IF;
        units := gl_units();
        IF gl_staff() IS NOT NULL THEN
            parts := parts || format('c.staff_ids @> ARRAY[%s] AND array_ndims(c.staff_ids) IS NOT NULL', gl_staff());
        END IF;
        IF gl_user() IS NOT NULL THEN parts := parts || format('c.reporter_id = %s', gl_user()); END IF;
    END IF;
    SELECT count(DISTINCT left(r, 12)) INTO villages FROM unnest(regions) r;
    IF cardinality(units) + villages > 8 THEN RETURN NULL; END IF;
    IF cardinality(units) > 0 THEN
        parts := parts || format('c.unit_ids && %L::int[] AND array_ndims(c.unit_ids) IS NOT NULL '
            'AND c.unit_ids IS DISTINCT FROM ARRAY[c.lead_unit_id]', units);
    END IF;
    said := said || format(' AND c.reported_at >= %L AND c.reported_at < %L', low, high);
    FOREACH one IN ARRAY parts LOOP  -- OFFSET: few rows by their own index, never the walk through all by time
        EXECUTE format('SELECT ARRAY(SELECT x.id FROM (SELECT c.id, c.reported_at FROM cases_case c WHERE %s AND %s OFFSET 0) x '
            'ORDER BY x.reported_at DESC, x.id DESC LIMIT %s)', one, said, most) INTO piece;
        others := others || piece;
    END LOOP;
    FOR village IN SELECT left(r, 12) AS code, min(r) AS first, max(r) AS last FROM unnest(regions) r GROUP BY 1 LOOP
        piece := gl_cases_of_village(village.code, village.first, village.last, said, most);
        IF cardinality(piece) > cardinality(listed) THEN others := others || listed; listed := piece; ELSE others := others || piece; END IF;
    END LOOP;
    FOR one IN SELECT unnest(units)::text LOOP
        piece := gl_cases_led_by(one::int, said, most);
        IF cardinality(piece) > cardinality(listed) THEN others := others || listed; listed := piece; ELSE others := others || piece; END IF;
    END LOOP;
    RETURN gl_cases_among(listed, others, f ? 'any', most);
END $$;
"""

# a first window that is likely to hold all of the many that are asked for: the conditions are looked at once, not once for each window
NEWEST = r"""
CREATE OR REPLACE FUNCTION gl_cases_newest(said text, low timestamptz, high timestamptz, most int) RETURNS bigint[] LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp SET random_page_cost = '1.1' AS $$
DECLARE found bigint[] := '{}'; piece bigint[]; top timestamptz := high; bottom timestamptz; step interval := '31 days';
BEGIN
    IF most > 1000 THEN
        step := greatest(step, (high - low) * least(1, 1.3 * most / greatest(1, gl_cases_estimate(said))));
    END IF;
    LOOP
        bottom := CASE WHEN step > '500 days' THEN low ELSE greatest(low, top - step) END;
        EXECUTE format('SELECT array_agg(id) FROM (SELECT c.id FROM cases_case c WHERE %s AND c.reported_at >= %L AND c.reported_at < %L '
            'ORDER BY c.reported_at DESC, c.id DESC LIMIT %s) x', said, bottom, top, most - cardinality(found)) INTO piece;
        found := found || coalesce(piece, '{}');
        EXIT WHEN cardinality(found) >= most OR bottom <= low;
        top := bottom;
        step := step * 4;
    END LOOP;
    RETURN found;
END $$;
"""

HOLDING = r"""
-- cases that hold all the pairs (with tags: at least the rarest of them), fortnights from ``newest`` down to ``oldest`` or, where they hold much,
-- to ``reached``; newest first, to the second
CREATE OR REPLACE FUNCTION gl_cases_holding(pairs bigint[], tags bigint[], newest bigint, oldest bigint, low timestamptz, high timestamptz,
    OUT cases bigint[], OUT seconds bigint[], OUT reached bigint) LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp SET enable_seqscan = off SET enable_mergejoin = off SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    above bigint[] := ARRAY(SELECT (f & 4095) << 42 FROM generate_series(oldest, newest) f); wanted bigint[] := pairs;
    held bigint[]; mine bigint[]; bytes bigint;
BEGIN
    held := ARRAY(SELECT a + p FROM unnest(above) a, unnest(pairs) p);
    SELECT coalesce(min(f) FILTER (WHERE so_far < 1000000), newest), sum(size) INTO reached, bytes FROM (
        SELECT f, size, sum(size) OVER (ORDER BY f DESC) AS so_far FROM (
            SELECT newest - ((newest - (p.key >> 42)) & 4095) AS f, sum(pg_column_size(p.cases)) AS size
            FROM cases_posting p WHERE p.key = ANY (held) GROUP BY 1) sizes) running;
    IF bytes < 1000000 OR bytes IS NULL THEN reached := oldest; END IF;
    above := ARRAY(SELECT (f & 4095) << 42 FROM generate_series(reached, newest) f);
    IF tags IS NOT NULL AND bytes > 30000 THEN  -- few are looked up sooner than all cases of a town are read
        mine := ARRAY(SELECT a + t FROM unnest(above) a, unnest(tags) t);
        SELECT ARRAY[w] INTO wanted FROM unnest(pairs) w
            ORDER BY (SELECT sum(pg_column_size(p.cases)) FROM cases_posting p WHERE p.key = ANY (ARRAY(SELECT a + w FROM unnest(above) a)))
            NULLS FIRST LIMIT 1;
    END IF;
    held := ARRAY(SELECT a + p FROM unnest(above) a, unnest(wanted) p);
    SELECT array_agg(x.id), array_agg(x.at) INTO cases, seconds FROM (
        SELECT * FROM (
            SELECT e & 4398046511103 AS id, (newest - ((newest - fortnight) & 4095)) * 1209600 + (e >> 42) AS at FROM (
                SELECT min(entry.fortnight) AS fortnight, entry.e FROM (
                    SELECT p.key >> 42 AS fortnight, unnest(p.cases) AS e FROM cases_posting p WHERE p.key = ANY (held)) entry
                WHERE mine IS NULL OR entry.e IN (SELECT unnest(t.cases) FROM cases_posting t WHERE t.key = ANY (mine))
                GROUP BY entry.e HAVING count(*) = cardinality(wanted)) posted
            UNION
            SELECT w.case_id, floor(extract(epoch FROM c.reported_at))::bigint FROM unnest(above) a
                JOIN cases_words w ON w.words @> ARRAY(SELECT a + p FROM unnest(pairs) p) JOIN cases_case c ON c.id = w.case_id) every
        WHERE every.at BETWEEN floor(extract(epoch FROM low)) AND extract(epoch FROM high) ORDER BY every.at DESC, every.id DESC) x;
END $$;
"""


def undo() -> str:
    villages, less, posted = (import_module(f"gridloop.cases.migrations.{name}") for name in ("0018_villages", "0019_lighter_indexes", "0016_postings"))
    of_village = villages.LED[: villages.LED.index("-- what lies in a few")]
    led = villages.LED[villages.LED.index("CREATE OR REPLACE FUNCTION gl_cases_led(") :]
    holding = posted.FIND[posted.FIND.index("CREATE FUNCTION gl_cases_holding(") : posted.FIND.index("-- of the cases that hold the pairs")]
    drop = "DROP FUNCTION gl_cases_of_village(text, text, text, text, int), gl_cases_among(bigint[], bigint[], boolean, int);"
    return "\n".join((drop, of_village, less.asking(led), holding.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")))


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY
    dependencies = [("cases", "0019_lighter_indexes")]
    operations = [
        migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {NEW}", migrations.RunSQL.noop),
        migrations.RunSQL(
            f"CREATE INDEX CONCURRENTLY {NEW} ON cases_case {KEYS.format(', region text_pattern_ops')}",
            f"DROP INDEX CONCURRENTLY IF EXISTS {NEW}",
        ),
        migrations.RunSQL(f"BEGIN; {LED} {NEWEST} {HOLDING} COMMIT;", f"BEGIN; {undo()} COMMIT;"),
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    f"DROP INDEX CONCURRENTLY IF EXISTS {OLD}", f"CREATE INDEX CONCURRENTLY {OLD} ON cases_case {KEYS.format('')}"
                )
            ],
            [migrations.RemoveIndex("case", OLD)],
        ),
    ]
