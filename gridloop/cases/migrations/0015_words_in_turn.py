"""The words of a case are made by one transaction after another, and numbers in wide digits are no words, either.

Two transactions that changed texts of one case at the same moment each wrote the words without what the other had done: a report that
nobody found, or an erased one that was found again. Now the words' row is locked before the texts are read. A case kept in bulk has no
such row until its turn comes: whoever changes its texts before waits for ``index_words``.
"""

from django.db import migrations

SQL = r"""
CREATE OR REPLACE FUNCTION gl_shown(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT regexp_replace(said, '\d[\d 　－-]{5,}[\dXx]', '*', 'g') $$;

CREATE OR REPLACE FUNCTION gl_cases_words_of(id_from bigint, id_to bigint) RETURNS TABLE (case_id bigint, words bigint[])
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT c.id, gl_pairs(ARRAY[gl_folded(c.title), gl_folded(c.address)] || ARRAY(
        SELECT gl_shown(gl_folded(s.value #>> '{}')) FROM journal_sealed s
        WHERE s.case_code = c.code AND s.purpose = 'case_text' AND s.value IS NOT NULL), gl_fortnight(c.reported_at))
    FROM cases_case c WHERE c.id BETWEEN id_from AND id_to $$;

CREATE OR REPLACE FUNCTION gl_case_says(words text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('(position(%1$L IN ' || said || '(c.title)) > 0 OR position(%1$L IN ' || said || '(c.address)) > 0 OR EXISTS (
        SELECT 1 FROM journal_sealed s WHERE s.case_code = c.code AND s.purpose = ''case_text'' AND s.value IS NOT NULL
        AND position(%1$L IN ' || shown || '(s.value #>> ''{}''))) > 0))', words)
    FROM (SELECT CASE WHEN words ~ '[a-z0-9]' THEN 'gl_folded' ELSE '' END AS said,
        CASE WHEN words ~ '[0-9x *　－-]' THEN 'gl_shown(gl_folded' WHEN words ~ '[a-z]' THEN '(gl_folded' ELSE '(' END AS shown) how $$;

CREATE OR REPLACE FUNCTION gl_cases_reword(id_from bigint, id_to bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM cases_words w WHERE w.case_id BETWEEN id_from AND id_to ORDER BY w.case_id FOR UPDATE;
    INSERT INTO cases_words AS w SELECT * FROM gl_cases_words_of(id_from, id_to)
    ON CONFLICT (case_id) DO UPDATE SET words = EXCLUDED.words WHERE w.words <> EXCLUDED.words;
END $$;

CREATE OR REPLACE FUNCTION gl_case_text_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE changed bigint := (SELECT c.id FROM cases_case c WHERE c.code = NEW.case_code);
BEGIN
    IF changed IS NOT NULL THEN
        IF NOT EXISTS (SELECT FROM cases_words w WHERE w.case_id = changed) THEN
            PERFORM 1 FROM cases_words_due d WHERE changed BETWEEN d.first_id AND d.last_id FOR SHARE;
        END IF;
        PERFORM gl_cases_reword(changed, changed);
    END IF;
    RETURN NULL;
END $$;

-- all words anew, in the background: what was found in wide digits is found no more
DELETE FROM cases_words_due;
INSERT INTO cases_words_due SELECT min(id), max(id) FROM cases_case HAVING count(*) > 0;
"""


class Migration(migrations.Migration):
    dependencies = [("cases", "0014_finding_indexes")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
