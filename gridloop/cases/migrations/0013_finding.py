"""How cases are found: words by index, codes by either end, and one owner's function that looks for ids as the viewer may see them.

Under row security PostgreSQL uses an index only for leakproof operators; ``&&``, ``@>`` and LIKE are none. ``gl_cases_ids`` therefore runs as
the owner, but takes what may be seen from the very settings row security reads: without them it finds nothing. It returns ids only, and
the rows are read under row security. Why the words are kept as they are: docs/decisions/0016-finding-cases.md.
"""

from django.db import migrations

ENDED = "('closed', 'voided', 'rejected')"
FULL = "ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ０１２３４５６７８９"
HALF = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789"
UPPER, LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"

WORDS = rf"""
CREATE TABLE cases_words (case_id bigint PRIMARY KEY REFERENCES cases_case (id) ON DELETE CASCADE, words bigint[] NOT NULL);
CREATE INDEX cases_words_words ON cases_words USING gin (words);
ALTER TABLE cases_words ENABLE ROW LEVEL SECURITY;
CREATE POLICY cases_words_system ON cases_words FOR ALL USING ((SELECT gl_system())) WITH CHECK (gl_system());
CREATE TABLE cases_words_due (first_id bigint NOT NULL, last_id bigint NOT NULL);
ALTER TABLE cases_words_due ENABLE ROW LEVEL SECURITY;
CREATE POLICY cases_words_due_system ON cases_words_due FOR ALL USING ((SELECT gl_system())) WITH CHECK (gl_system());
INSERT INTO cases_words_due SELECT min(id), max(id) FROM cases_case HAVING count(*) > 0;

CREATE FUNCTION gl_folded(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT translate(said, '{UPPER}{FULL}', '{LOWER}{HALF}') $$;
CREATE FUNCTION gl_shown(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT regexp_replace(said, '\d[\d -]{{5,}}[\dXx]', '*', 'g') $$;
CREATE FUNCTION gl_fortnight(at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT floor(extract(epoch FROM at) / 1209600)::bigint $$;

-- every two neighbouring characters of the texts, 21 bits each, with 12 bits of the fortnight above them: exact, nothing is hashed
CREATE FUNCTION gl_pairs(texts text[], fortnight bigint) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(DISTINCT ((fortnight & 4095) << 42) | (a << 21) | b), '{{}}') FROM (
        SELECT ascii(c)::bigint AS a, lead(ascii(c)) OVER (PARTITION BY t.n ORDER BY p.n) AS b
        FROM unnest(texts) WITH ORDINALITY t (said, n), unnest(string_to_array(t.said, NULL)) WITH ORDINALITY p (c, n)) AS pair
    WHERE b IS NOT NULL $$;

CREATE FUNCTION gl_cases_words_of(id_from bigint, id_to bigint) RETURNS TABLE (case_id bigint, words bigint[])
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT c.id, gl_pairs(ARRAY[gl_folded(c.title), gl_folded(c.address)] || ARRAY(
        SELECT gl_folded(gl_shown(s.value #>> '{{}}')) FROM journal_sealed s
        WHERE s.case_code = c.code AND s.purpose = 'case_text' AND s.value IS NOT NULL), gl_fortnight(c.reported_at))
    FROM cases_case c WHERE c.id BETWEEN id_from AND id_to $$;
CREATE FUNCTION gl_cases_reword(id_from bigint, id_to bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO cases_words AS w SELECT * FROM gl_cases_words_of(id_from, id_to)
    ON CONFLICT (case_id) DO UPDATE SET words = EXCLUDED.words WHERE w.words <> EXCLUDED.words $$;
REVOKE ALL ON FUNCTION gl_cases_reword(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gl_cases_reword(bigint, bigint) TO gridloop_app;

CREATE FUNCTION gl_case_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$ BEGIN PERFORM gl_cases_reword(NEW.id, NEW.id); RETURN NULL; END $$;
CREATE FUNCTION gl_case_text_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$ BEGIN
    PERFORM gl_cases_reword(c.id, c.id) FROM cases_case c WHERE c.code = NEW.case_code;
    RETURN NULL;
END $$;
CREATE TRIGGER cases_case_worded AFTER INSERT ON cases_case FOR EACH ROW
    WHEN (current_setting('gridloop.words', true) IS DISTINCT FROM 'later') EXECUTE FUNCTION gl_case_changed();
CREATE TRIGGER cases_case_reworded AFTER UPDATE OF title, address, reported_at ON cases_case FOR EACH ROW
    WHEN (OLD.title <> NEW.title OR OLD.address <> NEW.address OR OLD.reported_at <> NEW.reported_at) EXECUTE FUNCTION gl_case_changed();
CREATE TRIGGER cases_text_added AFTER INSERT ON journal_sealed FOR EACH ROW
    WHEN (NEW.purpose = 'case_text' AND NEW.case_code IS NOT NULL AND current_setting('gridloop.words', true) IS DISTINCT FROM 'later')
    EXECUTE FUNCTION gl_case_text_changed();
CREATE TRIGGER cases_text_changed AFTER UPDATE OF value ON journal_sealed FOR EACH ROW
    WHEN (NEW.purpose = 'case_text' AND NEW.case_code IS NOT NULL AND OLD.value IS DISTINCT FROM NEW.value)
    EXECUTE FUNCTION gl_case_text_changed();
"""

WORDS_UNDO = """
DROP TRIGGER cases_text_changed ON journal_sealed; DROP TRIGGER cases_text_added ON journal_sealed;
DROP TRIGGER cases_case_reworded ON cases_case; DROP TRIGGER cases_case_worded ON cases_case;
DROP FUNCTION gl_case_text_changed(), gl_case_changed(), gl_cases_reword(bigint, bigint), gl_cases_words_of(bigint, bigint);
DROP FUNCTION gl_pairs(text[], bigint), gl_fortnight(timestamptz), gl_shown(text), gl_folded(text);
DROP TABLE cases_words_due; DROP TABLE cases_words;
"""

SCOPE = """
CREATE FUNCTION gl_cases_scope(inside text) RETURNS text LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE parts text[] := '{}'; one text;
BEGIN
    IF gl_system() THEN RETURN 'true'; END IF;
    FOREACH one IN ARRAY gl_regions() LOOP
        -- what is asked for lies inside: nothing more to say. Elsewhere: nothing there is this grant's to show
        IF starts_with(inside, rtrim(one, '%')) THEN RETURN 'true'; END IF;
        IF starts_with(one, inside) THEN parts := parts || format('c.region LIKE %L', one); END IF;
    END LOOP;
    IF cardinality(gl_units()) > 0 THEN parts := parts || format('c.unit_ids && %L::int[]', gl_units()); END IF;
    IF gl_staff() IS NOT NULL THEN parts := parts || format('c.staff_ids @> ARRAY[%s]', gl_staff()); END IF;
    IF gl_user() IS NOT NULL THEN parts := parts || format('c.reporter_id = %s', gl_user()); END IF;
    RETURN CASE WHEN parts = '{}' THEN 'false' ELSE '(' || array_to_string(parts, ' OR ') || ')' END;
END $$;
"""

# every key of the filter and its condition; %1$L is the value. Whoever adds one adds it to selectors.CaseFilter, too
CONDITIONS = {
    "since": "c.reported_at >= %1$L",
    "until": "c.reported_at < %1$L",
    "scene": "c.scene = %1$L",
    "card": "c.card = %1$L",
    "severity": "c.severity = %1$L",
    "stage": "c.stage = %1$L",
    "closed_since": "c.closed_at >= %1$L",
    "unit": "c.unit_ids @> ARRAY[%1$L::int]",
    "source": "c.sources @> jsonb_build_array(jsonb_build_object('kind', %1$L::text))",
    "late": f"c.stage_due_at < %1$L AND NOT (c.status IN {ENDED})",
}
BOXES = {
    "todo": f"c.desk_waits AND NOT (c.status IN {ENDED})",
    "doing": f"NOT c.desk_waits AND NOT (c.status IN {ENDED})",
    "open": f"NOT (c.status IN {ENDED})",
    "done": f"c.status IN {ENDED}",
}


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


WHERE = rf"""
CREATE FUNCTION gl_cases_where(f jsonb) RETURNS text LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE said text := gl_cases_scope(coalesce(f ->> 'region', '')); entry record;
BEGIN
    FOR entry IN SELECT k.key, f ->> k.key AS value, k.condition
        FROM (VALUES {", ".join(f"({quoted(k)}, {quoted(v)})" for k, v in CONDITIONS.items())}) k (key, condition) WHERE f ->> k.key <> '' LOOP
        said := said || ' AND ' || format(entry.condition, entry.value);
    END LOOP;
    FOR entry IN SELECT k.key, f ->> k.key AS value FROM unnest(ARRAY['type', 'region']) k (key) WHERE f ->> k.key <> '' LOOP
        said := said || format(' AND c.%s LIKE %L', entry.key, replace(replace(replace(entry.value, '\', '\\'), '%', '\%'), '_', '\_') || '%');
    END LOOP;
    FOR entry IN SELECT k.key, k.name FROM (VALUES ('status', 'status'), ('codes', 'code')) k (key, name) WHERE f ? k.key LOOP
        said := said || format(' AND c.%s = ANY (%L::text[])', entry.name, ARRAY(SELECT jsonb_array_elements_text(f -> entry.key)));
    END LOOP;
    IF f ? 'bbox' THEN said := said || format(' AND c.lon BETWEEN %L AND %L AND c.lat BETWEEN %L AND %L',
        f #>> '{{bbox,0}}', f #>> '{{bbox,2}}', f #>> '{{bbox,1}}', f #>> '{{bbox,3}}'); END IF;
    IF f ? 'placed' THEN said := said || ' AND c.lon IS NOT NULL'; END IF;
    IF f ->> 'origin' <> '' THEN said := said || format(' AND c.id IN (SELECT case_id FROM cases_source WHERE source = %L AND device = ''''
        AND signal_id <> ''''%s)', f ->> 'origin', CASE WHEN f ->> 'origin_id' <> '' THEN format(' AND signal_id = %L', f ->> 'origin_id') ELSE '' END);
    END IF;
    FOR entry IN SELECT b.condition FROM (VALUES {", ".join(f"({quoted(k)}, {quoted(v)})" for k, v in BOXES.items())}) b (box, condition)
        WHERE b.box IN (f ->> 'box', f ->> 'part') LOOP
        said := said || ' AND ' || entry.condition;
    END LOOP;
    RETURN said;
END $$;
"""

FIND = r"""
-- the condition that the words stand in title, address or a report of the case, as they are shown; what neither folding nor masking can
-- change is looked for in the texts as they are, in a tenth of the time
CREATE FUNCTION gl_case_says(words text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('(position(%1$L IN ' || said || '(c.title)) > 0 OR position(%1$L IN ' || said || '(c.address)) > 0 OR EXISTS (
        SELECT 1 FROM journal_sealed s WHERE s.case_code = c.code AND s.purpose = ''case_text'' AND s.value IS NOT NULL
        AND position(%1$L IN ' || said || '(' || shown || '(s.value #>> ''{}''))) > 0))', words)
    FROM (SELECT CASE WHEN words ~ '[a-z0-9]' THEN 'gl_folded' ELSE '' END AS said,
        CASE WHEN words ~ '[0-9x *-]' THEN 'gl_shown' ELSE '' END AS shown) how $$;

-- how many rows the planner expects: nothing is read (volatile, because EXPLAIN is refused elsewhere)
CREATE FUNCTION gl_cases_estimate(said text) RETURNS float8 LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) SELECT FROM cases_case c WHERE ' || said INTO plan;
    RETURN (plan #>> '{0,Plan,Plan Rows}')::float8;
END $$;

-- newest first in windows that grow: a full page ends the walk, and each window has the plan that fits it
CREATE FUNCTION gl_cases_newest(said text, low timestamptz, high timestamptz, most int) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE found bigint[] := '{}'; piece bigint[]; top timestamptz := high; bottom timestamptz; step interval := '31 days';
BEGIN
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

-- those of the listed cases that are as said, newest first; each is looked up, whatever the planner expects of them
CREATE FUNCTION gl_cases_kept(listed bigint[], said text, most int) RETURNS bigint[] LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE kept bigint[];
BEGIN
    EXECUTE format('SELECT ARRAY(SELECT c.id FROM unnest($1) w (id) JOIN cases_case c ON c.id = w.id WHERE %s '
        'ORDER BY c.reported_at DESC, c.id DESC LIMIT %s)', said, most) INTO kept USING listed;
    RETURN kept;
END $$;

-- the same by words: fortnight by fortnight from the posting lists, looked at again exactly
CREATE FUNCTION gl_cases_saying(said text, words text, low timestamptz, high timestamptz, most int) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    found bigint[] := '{}'; listed bigint[]; keys bigint[]; pairs bigint[] := gl_pairs(ARRAY[words], 0);
    at bigint := gl_fortnight(high); last bigint := gl_fortnight(low);
    look text := CASE WHEN char_length(words) = 2 THEN '' ELSE ' AND ' || gl_case_says(words) END;
BEGIN
    WHILE at >= last AND cardinality(found) < most LOOP
        listed := '{}';
        WHILE at >= last AND cardinality(listed) < 1000 LOOP
            keys := ARRAY(SELECT ((at & 4095) << 42) | p FROM unnest(pairs) p);
            listed := listed || ARRAY(SELECT w.case_id FROM cases_words w WHERE w.words @> keys);
            at := at - 1;
        END LOOP;
        IF listed <> '{}' THEN
            found := found || gl_cases_kept(listed, format('%s AND c.reported_at >= %L AND c.reported_at < %L%s', said, low, high, look),
                most - cardinality(found));
        END IF;
    END LOOP;
    RETURN found;
END $$;
"""

IDS = r"""
CREATE FUNCTION gl_cases_ids(f jsonb, most int) RETURNS SETOF bigint
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
        ELSIF is_open OR f ? 'codes' OR f ->> 'origin' <> '' OR gl_cases_estimate(said) < 5000 THEN
            EXECUTE format('SELECT ARRAY(SELECT c.id FROM cases_case c WHERE %s ORDER BY c.reported_at DESC, c.id DESC LIMIT %s)', said, most) INTO found;
        ELSE
            found := gl_cases_newest(said, low, high, most);
        END IF;
    ELSE
        IF words ~ '^[0-9a-z-]+$' THEN  -- codes are written in capitals
            code := format('c.code LIKE %L', upper(words) || '%')
                || CASE WHEN char_length(words) >= 4 THEN format(' OR reverse(c.code) LIKE %L', reverse(upper(words)) || '%') ELSE '' END;
            code := format('%s AND (%s)', said, code);
            IF gl_cases_estimate(code) < 5000 THEN
                EXECUTE format('SELECT ARRAY(SELECT c.id FROM cases_case c WHERE %s ORDER BY c.reported_at DESC, c.id DESC LIMIT %s)', code, most) INTO found;
            ELSE
                found := gl_cases_newest(code, low, high, most);
            END IF;
        END IF;
        by_code := words ~ '^[0-9]{5,}$' AND found <> '{}';  -- so many digits that end a code are that code: texts show no long numbers
        IF NOT by_code AND (is_open OR char_length(words) > 1 AND gl_cases_estimate(said) < 500) THEN
            EXECUTE format('SELECT ARRAY(SELECT c.id FROM cases_case c WHERE %s LIMIT %s)', said, CASE WHEN is_open THEN 'ALL' ELSE '20001' END)
                INTO piece;
        END IF;
        IF by_code THEN
            NULL;
        ELSIF cardinality(piece) <= 20000 OR is_open THEN  -- there are few, as expected: each is looked up
            found := found || gl_cases_kept(piece, CASE WHEN char_length(words) = 1 THEN gl_case_says(words) ELSE format(
                'CASE WHEN (SELECT w.words FROM cases_words w WHERE w.case_id = c.id) @> ARRAY(SELECT ((gl_fortnight(c.reported_at) & 4095) << 42) '
                '| p FROM unnest(%L::bigint[]) p) THEN %s ELSE false END', gl_pairs(ARRAY[words], 0), gl_case_says(words)) END,
                CASE WHEN urgent THEN 2147483647 ELSE most END);
        ELSIF char_length(words) = 1 THEN  -- no pair to look up: the newest are read
            piece := gl_cases_newest(said, low, high, 10000);
            found := found || gl_cases_kept(piece, gl_case_says(words), most);
        ELSE
            found := found || gl_cases_saying(said, words, low, high, CASE WHEN urgent THEN greatest(most, 10001) ELSE most END);
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
REVOKE ALL ON FUNCTION gl_cases_ids(jsonb, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gl_cases_ids(jsonb, int) TO gridloop_app;
"""
IDS_UNDO = """
DROP FUNCTION gl_cases_ids(jsonb, int), gl_cases_saying(text, text, timestamptz, timestamptz, int), gl_cases_kept(bigint[], text, int);
DROP FUNCTION gl_cases_newest(text, timestamptz, timestamptz, int), gl_case_says(text), gl_cases_where(jsonb), gl_cases_scope(text), gl_cases_estimate(text);
"""


class Migration(migrations.Migration):
    # gl_cases_involving stays: the release before goes on asking it until the new program is started
    dependencies = [("cases", "0012_defaults_in_the_database"), ("journal", "0004_places")]
    operations = [migrations.RunSQL(WORDS, WORDS_UNDO), migrations.RunSQL(SCOPE + WHERE + FIND + IDS, IDS_UNDO)]
