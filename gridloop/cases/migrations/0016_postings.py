"""The words of history as postings, which cost a tenth of an index by the row; and searches that read them newest first.

A case has its words either in ``cases_words`` (what came in one by one, or was changed since) or in ``cases_posting`` (what was kept in
bulk); ``gridloop/cases/words.py`` makes these and says how they are written. Beside its words a posted case has a tag for its town, its
village and each of its units, so that a search in one of them looks up no others.
"""

from importlib import import_module

from django.db import migrations

TABLE = r"""
CREATE TABLE cases_posting (key bigint NOT NULL, cases bigint[] NOT NULL);
ALTER TABLE cases_posting ALTER COLUMN cases SET STORAGE EXTERNAL;
CREATE INDEX cases_posting_key ON cases_posting (key);
ALTER TABLE cases_posting ENABLE ROW LEVEL SECURITY;
CREATE POLICY cases_posting_system ON cases_posting FOR ALL USING ((SELECT gl_system())) WITH CHECK ((SELECT gl_system()));

CREATE FUNCTION gl_region_tags(region text) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg((1114112::bigint << 21) + left(region, n)::bigint), '{}') FROM unnest(ARRAY[9, 12]) n
    WHERE left(region, n) ~ ('^[0-9]{' || n || '}$') $$;
CREATE FUNCTION gl_unit_tags(units int[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg((1114112::bigint << 21) + 1000000000000 + u), '{}') FROM unnest(units) u $$;
CREATE FUNCTION gl_posted_as(id bigint, at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT ((floor(extract(epoch FROM at))::bigint - gl_fortnight(at) * 1209600) << 42) | id $$;
"""

# one case leaves the postings: it has its words in cases_words from now on
MOVE = r"""
CREATE FUNCTION gl_case_unpost(id bigint, at timestamptz, region text, units int[], texts text[]) RETURNS void LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE held bigint[]; entry bigint := gl_posted_as(id, at);
BEGIN
    held := gl_pairs(texts, gl_fortnight(at)) || ARRAY(
        SELECT ((gl_fortnight(at) & 4095) << 42) + t FROM unnest(gl_region_tags(region) || gl_unit_tags(units)) t);
    -- locked in the order of the keys: no two that leave wait for each other
    PERFORM FROM cases_posting p WHERE p.key = ANY (held) AND entry = ANY (p.cases) ORDER BY p.key, p.ctid FOR UPDATE;
    DELETE FROM cases_posting p WHERE p.key = ANY (held) AND p.cases = ARRAY[entry];
    UPDATE cases_posting p SET cases = array_remove(p.cases, entry) WHERE p.key = ANY (held) AND entry = ANY (p.cases);
END $$;

CREATE FUNCTION gl_case_texts(of_code text) RETURNS text[] LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT ARRAY(SELECT gl_shown(gl_folded(s.value #>> '{}')) FROM journal_sealed s
        WHERE s.case_code = of_code AND s.purpose = 'case_text' AND s.value IS NOT NULL) $$;

CREATE OR REPLACE FUNCTION gl_case_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$ BEGIN
    IF TG_OP = 'UPDATE' AND NOT EXISTS (SELECT FROM cases_words w WHERE w.case_id = OLD.id) THEN
        PERFORM gl_case_unpost(OLD.id, OLD.reported_at, OLD.region, OLD.unit_ids,
            ARRAY[gl_folded(OLD.title), gl_folded(OLD.address)] || gl_case_texts(OLD.code));
    END IF;
    PERFORM gl_cases_reword(NEW.id, NEW.id);
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION gl_case_text_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$ DECLARE c cases_case; BEGIN
    SELECT * INTO c FROM cases_case WHERE code = NEW.case_code;
    IF c.id IS NOT NULL THEN
        IF NOT EXISTS (SELECT FROM cases_words w WHERE w.case_id = c.id) THEN  -- its turn may be on: see 0015
            PERFORM 1 FROM cases_words_due d WHERE c.id BETWEEN d.first_id AND d.last_id FOR SHARE;
        END IF;
        IF NOT EXISTS (SELECT FROM cases_words w WHERE w.case_id = c.id) THEN
            PERFORM gl_case_unpost(c.id, c.reported_at, c.region, c.unit_ids, ARRAY[gl_folded(c.title), gl_folded(c.address)]
                || gl_case_texts(c.code) || CASE WHEN TG_OP = 'UPDATE' THEN gl_shown(gl_folded(coalesce(OLD.value #>> '{}', ''))) ELSE '' END);
        END IF;
        PERFORM gl_cases_reword(c.id, c.id);
    END IF;
    RETURN NULL;
END $$;
-- postings say whose a case is: of history that comes into other hands they would say it wrongly
CREATE TRIGGER cases_case_moved AFTER UPDATE OF region, unit_ids, staff_ids, reporter_id ON cases_case FOR EACH ROW
    WHEN (OLD.scene = 'history' AND (OLD.region, OLD.unit_ids, OLD.staff_ids, OLD.reporter_id)
        IS DISTINCT FROM (NEW.region, NEW.unit_ids, NEW.staff_ids, NEW.reporter_id)) EXECUTE FUNCTION gl_case_changed();
"""

FIND = r"""
-- the tags that all posted cases in the viewer's sight have one of; null: there is none that says it. An optimisation: the rows are looked at again
CREATE FUNCTION gl_scope_tags(f jsonb) RETURNS bigint[] LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE tags bigint[] := '{}'; one text; asked text := coalesce(f ->> 'region', ''); near text;
BEGIN
    IF f ->> 'unit' <> '' THEN RETURN gl_unit_tags(ARRAY[(f ->> 'unit')::int]); END IF;
    near := CASE WHEN asked ~ '^[0-9]{12}' THEN left(asked, 12) WHEN asked ~ '^[0-9]{9}' THEN left(asked, 9) END;
    IF near IS NOT NULL THEN RETURN (gl_region_tags(near))[cardinality(gl_region_tags(near)):]; END IF;
    IF gl_system() THEN RETURN NULL; END IF;
    FOREACH one IN ARRAY gl_regions() LOOP
        one := rtrim(one, '%');
        near := CASE WHEN one ~ '^[0-9]{12}' THEN left(one, 12) WHEN one ~ '^[0-9]{9}' THEN left(one, 9) END;
        IF near IS NULL THEN RETURN NULL; END IF;
        tags := tags || (gl_region_tags(near))[cardinality(gl_region_tags(near))];
    END LOOP;
    RETURN tags || gl_unit_tags(gl_units());
END $$;

-- cases that hold all the pairs, fortnights from ``newest`` down to ``oldest`` or, where they hold much, to ``reached``; newest first, to the second
CREATE FUNCTION gl_cases_holding(pairs bigint[], tags bigint[], newest bigint, oldest bigint, low timestamptz, high timestamptz,
    OUT cases bigint[], OUT seconds bigint[], OUT reached bigint) LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp SET enable_seqscan = off SET enable_mergejoin = off SET plan_cache_mode = force_custom_plan AS $$
DECLARE above bigint[] := ARRAY(SELECT (f & 4095) << 42 FROM generate_series(oldest, newest) f); held bigint[]; mine bigint[]; bytes bigint;
BEGIN
    held := ARRAY(SELECT a + p FROM unnest(above) a, unnest(pairs) p);
    SELECT coalesce(min(f) FILTER (WHERE so_far < 1000000), newest), sum(size) INTO reached, bytes FROM (
        SELECT f, size, sum(size) OVER (ORDER BY f DESC) AS so_far FROM (
            SELECT newest - ((newest - (p.key >> 42)) & 4095) AS f, sum(pg_column_size(p.cases)) AS size
            FROM cases_posting p WHERE p.key = ANY (held) GROUP BY 1) sizes) running;
    IF bytes < 1000000 OR bytes IS NULL THEN reached := oldest; END IF;
    above := ARRAY(SELECT (f & 4095) << 42 FROM generate_series(reached, newest) f);
    held := ARRAY(SELECT a + p FROM unnest(above) a, unnest(pairs) p);
    IF tags IS NOT NULL AND bytes > 30000 THEN  -- few are looked up sooner than all cases of a town are read
        mine := ARRAY(SELECT a + t FROM unnest(above) a, unnest(tags) t);
    END IF;
    SELECT array_agg(x.id), array_agg(x.at) INTO cases, seconds FROM (
        SELECT * FROM (
            SELECT e & 4398046511103 AS id, (newest - ((newest - fortnight) & 4095)) * 1209600 + (e >> 42) AS at FROM (
                SELECT min(p.key >> 42) AS fortnight, e FROM cases_posting p, unnest(p.cases) e
                WHERE p.key = ANY (held) AND (mine IS NULL OR e IN (SELECT unnest(t.cases) FROM cases_posting t WHERE t.key = ANY (mine)))
                GROUP BY e HAVING count(*) = cardinality(pairs)) posted
            UNION
            SELECT w.case_id, floor(extract(epoch FROM c.reported_at))::bigint FROM unnest(above) a
                JOIN cases_words w ON w.words @> ARRAY(SELECT a + p FROM unnest(pairs) p) JOIN cases_case c ON c.id = w.case_id) every
        WHERE every.at BETWEEN floor(extract(epoch FROM low)) AND extract(epoch FROM high) ORDER BY every.at DESC, every.id DESC) x;
END $$;

-- of the cases that hold the pairs those that are as said, newest first: as many fortnights at a time as the last ones make likely to be enough
CREATE FUNCTION gl_cases_of_words(said text, words text, tags bigint[], low timestamptz, high timestamptz, most int) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    pairs bigint[] := gl_pairs(ARRAY[words], 0); at bigint := gl_fortnight(high); last bigint := gl_fortnight(low); step bigint := 1; bottom bigint;
    look text := CASE WHEN char_length(words) = 2 THEN '' ELSE ' AND ' || gl_case_says(words) END;
    found bigint[] := '{}'; cases bigint[]; seconds bigint[]; kept bigint[]; i int; j int;
    walked bigint := 0; share float8 := 1;
BEGIN
    WHILE at >= last AND cardinality(found) < most LOOP
        bottom := greatest(last, at - step + 1);
        SELECT h.cases, h.seconds, h.reached INTO cases, seconds, bottom FROM gl_cases_holding(pairs, tags, at, bottom, low, high) h;
        i := 1;
        WHILE i <= cardinality(cases) AND cardinality(found) < most LOOP
            j := least(cardinality(cases), i + greatest(20, least(20000, ((most - cardinality(found)) / share * 1.1)::int)));
            WHILE j < cardinality(cases) AND seconds[j + 1] = seconds[j] LOOP j := j + 1; END LOOP;  -- a second is looked at whole
            kept := gl_cases_kept(cases[i:j], format('%s AND c.reported_at >= %L AND c.reported_at < %L%s', said, low, high, look),
                most - cardinality(found));
            found := found || kept;
            share := greatest(cardinality(kept), 1)::float8 / (j - i + 1);  -- of those looked up last
            i := j + 1;
        END LOOP;
        walked := walked + at - bottom + 1;
        at := bottom - 1;
        step := least(step * 4, 64, CASE WHEN cardinality(found) = 0 THEN 64
            ELSE greatest(1, (most - cardinality(found)) * walked / cardinality(found)) END);  -- as the fortnights so far
    END LOOP;
    RETURN found;
END $$;

-- along the index by who leads: the planner knows nothing of how lead_unit_id and unit_ids hang together and would read all of a unit
CREATE FUNCTION gl_cases_led_by(lead int, said text, most int) RETURNS bigint[] LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp SET enable_bitmapscan = off SET enable_seqscan = off AS $$
DECLARE found bigint[];
BEGIN
    EXECUTE format('SELECT ARRAY(SELECT c.id FROM cases_case c WHERE c.lead_unit_id = %s AND %s '
        'ORDER BY c.reported_at DESC, c.id DESC LIMIT %s)', lead, said, most) INTO found;
    RETURN found;
END $$;

-- what a department sees is read by who leads, in the order of time; what it only takes part in, its people and those who reported lie in small
-- indexes of their own. Null: whoever looks sees more than units
CREATE FUNCTION gl_cases_led(f jsonb, said text, low timestamptz, high timestamptz, most int) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE units int[]; parts text[] := '{}'; one text; found bigint[] := '{}'; piece bigint[];
BEGIN
    IF f ->> 'unit' <> '' THEN
        units := ARRAY[(f ->> 'unit')::int];
    ELSIF NOT gl_system() AND NOT EXISTS (SELECT FROM unnest(gl_regions()) r  -- or what is asked for lies outside the viewer's territory
        WHERE starts_with(coalesce(f ->> 'region', ''), rtrim(r, '%')) OR starts_with(r, coalesce(f ->> 'region', ''))) THEN
        units := gl_units();
        IF gl_staff() IS NOT NULL THEN parts := parts || format('c.staff_ids @> ARRAY[%s]', gl_staff()); END IF;
        IF gl_user() IS NOT NULL THEN parts := parts || format('c.reporter_id = %s', gl_user()); END IF;
    END IF;
    IF units IS NULL OR cardinality(units) > 8 THEN RETURN NULL; END IF;
    IF cardinality(units) > 0 THEN
        parts := parts || format('c.unit_ids && %L::int[] AND c.unit_ids IS DISTINCT FROM ARRAY[c.lead_unit_id]', units);
    END IF;
    said := said || format(' AND c.reported_at >= %L AND c.reported_at < %L', low, high);
    FOREACH one IN ARRAY parts LOOP  -- OFFSET: few rows by their own index, never the walk through all by time
        EXECUTE format('SELECT ARRAY(SELECT x.id FROM (SELECT c.id, c.reported_at FROM cases_case c WHERE %s AND %s OFFSET 0) x '
            'ORDER BY x.reported_at DESC, x.id DESC LIMIT %s)', one, said, most) INTO piece;
        found := found || piece;
    END LOOP;
    FOR one IN SELECT unnest(units)::text LOOP found := found || gl_cases_led_by(one::int, said, most); END LOOP;
    RETURN ARRAY(SELECT c.id FROM cases_case c WHERE c.id = ANY (found) ORDER BY c.reported_at DESC, c.id DESC LIMIT most);
END $$;

-- the cases of a code's beginning or end; null when they are many. Ranges, not LIKE: their plan is kept, and it uses the indexes
CREATE FUNCTION gl_cases_coded(words text) RETURNS bigint[] LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE found bigint[]; most int := 2000; backwards text := reverse(words); beyond text := chr(1114111);
BEGIN
    found := ARRAY(SELECT c.id FROM cases_case c WHERE c.code ~>=~ words AND c.code ~<~ (words || beyond) LIMIT most + 1);
    IF cardinality(found) <= most AND char_length(words) >= 4 THEN
        found := ARRAY(SELECT unnest(found) UNION (SELECT c.id FROM cases_case c
            WHERE reverse(c.code) ~>=~ backwards AND reverse(c.code) ~<~ (backwards || beyond) LIMIT most + 1));
    END IF;
    RETURN CASE WHEN cardinality(found) <= most THEN found END;
END $$;
"""


# the function of 0013 with what is different now: departments by who leads, codes by their own indexes, words by postings, too;
# ``any``: whichever cases, for a count. The old program goes on calling it
IDS = r"""CREATE OR REPLACE FUNCTION gl_cases_ids(f jsonb, most int) RETURNS SETOF bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off SET work_mem = '32MB' AS $$
DECLARE
    said text := gl_cases_where(f); urgent boolean := coalesce(f ->> 'order', '') = 'urgent'; words text := gl_folded(f ->> 'q');
    is_open boolean := coalesce(f ->> 'box', '') IN ('todo', 'doing', 'open') OR coalesce(f ->> 'part', '') = 'open';
    low timestamptz; high timestamptz; code text := ''; by_code boolean; found bigint[] := '{}'; piece bigint[]; part text;
BEGIN
    IF f ? 'after' THEN said := said || ' AND ' || CASE
        WHEN NOT urgent THEN format('(c.reported_at, c.id) < (%L::timestamptz, %L::bigint)', f #>> '{after,0}', f #>> '{after,1}')
        WHEN f #>> '{after,1}' IS NULL
            THEN format('c.severity >= %1$L AND (c.severity > %1$L OR c.stage_due_at IS NULL AND c.id > %2$L)', f #>> '{after,0}', f #>> '{after,2}')
        ELSE format('c.severity >= %1$L AND (c.severity > %1$L OR c.stage_due_at > %2$L OR c.stage_due_at = %2$L AND c.id > %3$L '
            'OR c.stage_due_at IS NULL)', f #>> '{after,0}', f #>> '{after,1}', f #>> '{after,2}') END; END IF;
    SELECT min(reported_at), max(reported_at) + interval '1 second' INTO low, high FROM cases_case;
    low := greatest(low, (f ->> 'since')::timestamptz);
    high := least(high, (f ->> 'until')::timestamptz);
    IF NOT urgent AND f ? 'after' THEN high := least(high, (f #>> '{after,0}')::timestamptz + interval '1 second'); END IF;
    IF low IS NULL OR high IS NULL OR high <= low THEN RETURN; END IF;

    IF words = '' OR words IS NULL THEN
        IF urgent THEN
            FOREACH part IN ARRAY CASE WHEN is_open OR f ->> 'box' = 'done' OR f ->> 'part' = 'done' THEN ARRAY['true']
                ELSE ARRAY['NOT (c.status IN (''closed'', ''voided'', ''rejected''))', 'c.status IN (''closed'', ''voided'', ''rejected'')'] END LOOP
                EXECUTE format('SELECT %L::bigint[] || ARRAY(SELECT c.id FROM cases_case c WHERE %s AND %s ORDER BY c.severity, c.stage_due_at, c.id '
                    'LIMIT %s)', found, said, part, most) INTO found;
            END LOOP;
        ELSIF NOT is_open AND NOT f ? 'codes' AND coalesce(f ->> 'origin', '') = ''
            AND gl_cases_led(f, 'false', low, high, 1) IS NOT NULL THEN
            found := gl_cases_led(f, said, low, high, most);
        ELSIF is_open OR f ? 'codes' OR f ->> 'origin' <> '' OR f ? 'any' OR gl_cases_estimate(said) < 5000 THEN
            EXECUTE format('SELECT ARRAY(SELECT c.id FROM cases_case c WHERE %s %s LIMIT %s)', said,
                CASE WHEN f ? 'any' THEN '' ELSE 'ORDER BY c.reported_at DESC, c.id DESC' END, most) INTO found;
        ELSE
            found := gl_cases_newest(said, low, high, most);
        END IF;
    ELSE
        IF words ~ '^[0-9a-z-]+$' THEN  -- codes are written in capitals
            code := format('c.code LIKE %L', upper(words) || '%')
                || CASE WHEN char_length(words) >= 4 THEN format(' OR reverse(c.code) LIKE %L', reverse(upper(words)) || '%') ELSE '' END;
            code := format('%s AND (%s)', said, code);
            piece := gl_cases_coded(upper(words));
            IF piece IS NOT NULL THEN
                found := gl_cases_kept(piece, said, CASE WHEN urgent THEN 2147483647 ELSE most END);
                by_code := piece <> '{}' AND words ~ '^[0-9]{7,}$';  -- whether or not the viewer sees whose it is
                piece := NULL;
            ELSE
                found := coalesce(gl_cases_led(f, code, low, high, most), gl_cases_newest(code, low, high, most));
            END IF;
        END IF;
        by_code := coalesce(by_code, false) OR words ~ '^[0-9]{5,}$' AND found <> '{}';  -- so many digits that end a code are that code: texts show no long numbers
        IF NOT by_code AND (is_open OR char_length(words) > 1 AND gl_cases_estimate(said) < 500) THEN
            EXECUTE format('SELECT ARRAY(SELECT c.id FROM cases_case c WHERE %s LIMIT %s)', said, CASE WHEN is_open THEN 'ALL' ELSE '20001' END)
                INTO piece;
        END IF;
        IF by_code THEN
            NULL;
        ELSIF cardinality(piece) <= 20000 OR is_open THEN  -- there are few, as expected: each is looked up
            found := found || gl_cases_kept(piece, CASE WHEN char_length(words) = 1 THEN gl_case_says(words) ELSE format(
                'CASE WHEN coalesce((SELECT w.words FROM cases_words w WHERE w.case_id = c.id) @> ARRAY(SELECT ((gl_fortnight(c.reported_at) & 4095) << 42) '
                '| p FROM unnest(%L::bigint[]) p), true) THEN %s ELSE false END', gl_pairs(ARRAY[words], 0), gl_case_says(words)) END,
                CASE WHEN urgent THEN 2147483647 ELSE most END);
        ELSIF char_length(words) = 1 THEN  -- no pair to look up: the newest are read
            piece := gl_cases_newest(said, low, high, 10000);
            found := found || gl_cases_kept(piece, gl_case_says(words), most);
        ELSE
            found := found || gl_cases_of_words(said, words, gl_scope_tags(f), low, high, CASE WHEN urgent THEN greatest(most, 10001) ELSE most END);
        END IF;
    END IF;
    IF urgent THEN
        RETURN QUERY SELECT c.id FROM cases_case c WHERE c.id = ANY (found) ORDER BY c.severity, c.stage_due_at, c.id LIMIT most;
    ELSIF code <> '' THEN
        RETURN QUERY SELECT c.id FROM cases_case c WHERE c.id = ANY (found) ORDER BY c.reported_at DESC, c.id DESC LIMIT most;
    ELSE
        RETURN QUERY SELECT unnest(found);
    END IF;
END $$;
"""


def undo():
    """The functions of 0013 and 0015 again; what is posted gets its words one by one."""
    before, turn = (import_module(f"gridloop.cases.migrations.{name}") for name in ("0013_finding", "0015_words_in_turn"))
    changed = before.WORDS[before.WORDS.index("CREATE FUNCTION gl_case_changed()") : before.WORDS.index("CREATE FUNCTION gl_case_text_changed()")]
    text_changed = turn.SQL[turn.SQL.index("CREATE OR REPLACE FUNCTION gl_case_text_changed()") : turn.SQL.index("-- all words anew")]
    ids = before.IDS[: before.IDS.index("REVOKE ALL")]
    return (changed + ids).replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION") + text_changed + """
DROP TRIGGER cases_case_moved ON cases_case;
DROP FUNCTION gl_case_unpost(bigint, timestamptz, text, int[], text[]), gl_case_texts(text), gl_scope_tags(jsonb), gl_cases_coded(text);
DROP FUNCTION gl_cases_holding(bigint[], bigint[], bigint, bigint, timestamptz, timestamptz);
DROP FUNCTION gl_cases_of_words(text, text, bigint[], timestamptz, timestamptz, int);
DROP FUNCTION gl_cases_led_by(int, text, int), gl_cases_led(jsonb, text, timestamptz, timestamptz, int), gl_region_tags(text), gl_unit_tags(int[]);
INSERT INTO cases_words_due SELECT min(id), max(id) FROM cases_case WHERE EXISTS (SELECT FROM cases_posting) HAVING count(*) > 0;
DROP FUNCTION gl_posted_as(bigint, timestamptz);
DROP TABLE cases_posting;
"""


class Migration(migrations.Migration):
    dependencies = [("cases", "0015_words_in_turn")]
    operations = [migrations.RunSQL(TABLE + MOVE + FIND + IDS, undo())]
