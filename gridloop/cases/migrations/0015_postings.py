"""The words of history as postings, which cost a tenth of an index by the row; and searches that read them newest first.

A case has its words either in ``cases_words`` (what came in one by one, or was changed since) or in ``cases_posting`` (what was kept in
bulk); ``gridloop/cases/words.py`` makes these and says how they are written. Beside its words a posted case has a tag for its town, its
village and each of its units, so that a search in one of them looks up no others.
"""

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
    IF EXISTS (SELECT FROM cases_words w WHERE w.case_id = id) THEN RETURN; END IF;
    held := gl_pairs(texts, gl_fortnight(at)) || ARRAY(
        SELECT ((gl_fortnight(at) & 4095) << 42) + t FROM unnest(gl_region_tags(region) || gl_unit_tags(units)) t);
    -- locked in the order of the keys: no two that leave wait for each other
    PERFORM FROM cases_posting p WHERE p.key = ANY (held) AND entry = ANY (p.cases) ORDER BY p.key, p.ctid FOR UPDATE;
    DELETE FROM cases_posting p WHERE p.key = ANY (held) AND p.cases = ARRAY[entry];
    UPDATE cases_posting p SET cases = array_remove(p.cases, entry) WHERE p.key = ANY (held) AND entry = ANY (p.cases);
END $$;

CREATE FUNCTION gl_case_texts(of_code text) RETURNS text[] LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT ARRAY(SELECT gl_folded(gl_shown(s.value #>> '{}')) FROM journal_sealed s
        WHERE s.case_code = of_code AND s.purpose = 'case_text' AND s.value IS NOT NULL) $$;

CREATE OR REPLACE FUNCTION gl_case_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$ BEGIN
    IF TG_OP = 'UPDATE' THEN
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
        PERFORM gl_case_unpost(c.id, c.reported_at, c.region, c.unit_ids, ARRAY[gl_folded(c.title), gl_folded(c.address)]
            || gl_case_texts(c.code) || CASE WHEN TG_OP = 'UPDATE' THEN gl_folded(gl_shown(coalesce(OLD.value #>> '{}', ''))) ELSE '' END);
        PERFORM gl_cases_reword(c.id, c.id);
    END IF;
    RETURN NULL;
END $$;
-- postings say whose a case is: of history that comes into other hands they would say it wrongly
CREATE TRIGGER cases_case_moved AFTER UPDATE OF region, unit_ids, staff_ids, reporter_id ON cases_case FOR EACH ROW
    WHEN (OLD.scene = 'history' AND (OLD.region, OLD.unit_ids, OLD.staff_ids, OLD.reporter_id)
        IS DISTINCT FROM (NEW.region, NEW.unit_ids, NEW.staff_ids, NEW.reporter_id)) EXECUTE FUNCTION gl_case_changed();
"""
MOVE_UNDO = "DROP TRIGGER cases_case_moved ON cases_case; DROP FUNCTION gl_case_unpost(bigint, timestamptz, text, int[], text[]);"

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

-- cases that hold all the pairs (none: all that have one of the tags), fortnights from ``newest`` down to ``oldest``, newest first, to the second
CREATE FUNCTION gl_cases_holding(pairs bigint[], tags bigint[], newest bigint, oldest bigint, low timestamptz, high timestamptz,
    OUT cases bigint[], OUT seconds bigint[]) LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp SET enable_seqscan = off SET enable_mergejoin = off SET plan_cache_mode = force_custom_plan AS $$
DECLARE above bigint[] := ARRAY(SELECT (f & 4095) << 42 FROM generate_series(oldest, newest) f); held bigint[]; mine bigint[];
BEGIN
    held := ARRAY(SELECT a + p FROM unnest(above) a, unnest(pairs) p);
    mine := ARRAY(SELECT a + t FROM unnest(above) a, unnest(tags) t);
    SELECT array_agg(x.id ORDER BY x.at DESC, x.id DESC), array_agg(x.at ORDER BY x.at DESC, x.id DESC) INTO cases, seconds FROM (
        SELECT e & 4398046511103 AS id, (newest - ((newest - fortnight) & 4095)) * 1209600 + (e >> 42) AS at FROM (
            SELECT (p.key >> 42) AS fortnight, e FROM cases_posting p, unnest(p.cases) e
            WHERE p.key = ANY (held) AND (tags IS NULL OR e IN (SELECT unnest(t.cases) FROM cases_posting t WHERE t.key = ANY (mine)))
            GROUP BY 1, 2 HAVING count(*) = cardinality(pairs)) posted
        UNION
        SELECT w.case_id, floor(extract(epoch FROM c.reported_at))::bigint FROM unnest(above) a
            JOIN cases_words w ON w.words @> ARRAY(SELECT a + p FROM unnest(pairs) p) JOIN cases_case c ON c.id = w.case_id) x
    WHERE x.at BETWEEN floor(extract(epoch FROM low)) AND extract(epoch FROM high);
END $$;

-- of the cases that hold the pairs those that are as said, newest first: as many fortnights at a time as the last ones make likely to be enough
CREATE FUNCTION gl_cases_of_words(said text, words text, tags bigint[], low timestamptz, high timestamptz, most int) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    pairs bigint[] := gl_pairs(ARRAY[words], 0); at bigint := gl_fortnight(high); last bigint := gl_fortnight(low); step bigint := 1; bottom bigint;
    look text := CASE WHEN char_length(words) = 2 THEN '' ELSE ' AND ' || gl_case_says(words) END;
    found bigint[] := '{}'; cases bigint[]; seconds bigint[]; i int; j int; seen bigint := 0; walked bigint := 0; share float8;
BEGIN
    WHILE at >= last AND cardinality(found) < most LOOP
        bottom := greatest(last, at - step + 1);
        SELECT h.cases, h.seconds INTO cases, seconds FROM gl_cases_holding(pairs, tags, at, bottom, low, high) h;
        i := 1;
        share := 1;
        WHILE i <= cardinality(cases) AND cardinality(found) < most LOOP
            share := CASE WHEN seen < 50 THEN 1 ELSE greatest(cardinality(found), 1)::float8 / seen END;
            j := least(cardinality(cases), i + greatest(20, least(20000, ((most - cardinality(found)) / share * 1.2)::int)));
            WHILE j < cardinality(cases) AND seconds[j + 1] = seconds[j] LOOP j := j + 1; END LOOP;  -- a second is looked at whole
            found := found || gl_cases_kept(cases[i:j], format('%s AND c.reported_at >= %L AND c.reported_at < %L%s', said, low, high, look),
                most - cardinality(found));
            seen := seen + j - i + 1;
            i := j + 1;
        END LOOP;
        walked := walked + at - bottom + 1;
        at := bottom - 1;
        share := CASE WHEN seen = 0 THEN 0 ELSE cardinality(found)::float8 / walked END;  -- kept a fortnight
        step := least(step * 4, CASE WHEN share = 0 THEN step * 4 ELSE greatest(1, ((most - cardinality(found)) / share)::bigint) END, 64);
    END LOOP;
    RETURN found;
END $$;
"""


def ids_again():
    """The function of 0013 with what is different now; the old program goes on calling it."""
    from importlib import import_module

    before = import_module("gridloop.cases.migrations.0013_finding").IDS.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
    after = before.replace("gl_cases_saying(said, words, low,", "gl_cases_of_words(said, words, gl_scope_tags(f), low,")
    few = "'CASE WHEN (SELECT w.words FROM cases_words w WHERE w.case_id = c.id) @> ARRAY(SELECT ((gl_fortnight(c.reported_at) & 4095) << 42) '\n"
    assert few in after
    after = after.replace(few, few.replace("'CASE WHEN (", "'CASE WHEN coalesce((")).replace(
        "'| p FROM unnest(%L::bigint[]) p) THEN", "'| p FROM unnest(%L::bigint[]) p), true) THEN"
    )
    return after, before


AFTER, BEFORE = ids_again()


class Migration(migrations.Migration):
    dependencies = [("cases", "0014_finding_indexes")]
    operations = [migrations.RunSQL(TABLE + MOVE + FIND + AFTER)]
