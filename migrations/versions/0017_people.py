"""People are found by any of their words, and two that are one are merged."""

from migrations.runner import run_sql

revision = "0017"
down_revision = "0016"

SQL = r"""
-- The words of a text as a search compares them: without accents, in small letters, cut at blanks and punctuation. It asks
-- no collation, so that it is the same on every server, and calls nothing of ours, so that a dump can be restored in any order.
CREATE FUNCTION folded_words(text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    folded text := $1;
BEGIN
    IF octet_length(folded) <> length(folded) THEN
        folded := normalize(folded, NFKD);
        -- accents of Latin, Greek and Cyrillic; points of Hebrew; short vowels of Arabic
        folded := regexp_replace(folded,
            '[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u0610-\u061a\u064b-\u065f\u0670]', '', 'g');
        IF folded ~ '[ØøŁłĐđÐðĦħıŊŋŦŧƏəßẞæÆœŒþÞς\u0391-\u03a9\u0400-\u0490]' THEN  -- translate() is slow
            folded := translate(folded,
                'ØøŁłĐđÐðĦħıŊŋŦŧƏəςΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЂЄЅІЈЉЊЋЏҐ',
                'oollddddhhinntteeσαβγδεζηθικλμνξοπρστυφχψωабвгдежзиклмнопрстуфхцчшщъыьэюяђєѕіјљњћџґ');
            folded := replace(replace(replace(replace(folded, 'ß', 'ss'), 'ẞ', 'ss'), 'æ', 'ae'), 'Æ', 'ae');
            folded := replace(replace(replace(replace(folded, 'œ', 'oe'), 'Œ', 'oe'), 'þ', 'th'), 'Þ', 'th');
        END IF;
    END IF;
    folded := regexp_replace(folded, '[\u0001-/:-@\[-`{-\u007f’‘“”„«»‹›–—‐‑·،、。・־׳״]+', ' ', 'g');
    RETURN string_to_array(lower(btrim(folded) COLLATE "C"), ' ');
END
$$;

-- merged_into: the profile that stands for this one, which is then read by nobody else; never a merged one itself.
ALTER TABLE profile ADD COLUMN merged_into bigint REFERENCES profile ON DELETE CASCADE CHECK (merged_into <> id);
CREATE INDEX profile_merged_into ON profile (merged_into) WHERE merged_into IS NOT NULL;

ALTER TABLE profile ADD COLUMN search_words tsvector GENERATED ALWAYS AS (
    CASE WHEN merged_into IS NULL THEN array_to_tsvector(folded_words(
        coalesce(email_key, '') || ' ' || coalesce(first_name, '') || ' ' || coalesce(middle_name, '') || ' '
        || coalesce(last_name, '') || ' ' || coalesce(mobile_phone, '') || ' ' || coalesce(phone, '')
    )) END
) STORED;
CREATE INDEX profile_search_words ON profile USING gin (search_words) WITH (gin_pending_list_limit = 1024);

-- A merge, and what undoes it. before, after: the columns of the survivor that it changed, empty once it is undone. refused:
-- opt-outs that the person asked for again while it stood, and so keeps.
CREATE TABLE profile_merge (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    survivor_id bigint NOT NULL REFERENCES profile ON DELETE CASCADE,
    before      jsonb NOT NULL,
    after       jsonb NOT NULL,
    refused     text[] NOT NULL DEFAULT '{}',
    merged_at   timestamptz NOT NULL,
    merged_by   text NOT NULL,
    undone_at   timestamptz,
    undone_by   text
);
CREATE INDEX profile_merge_survivor ON profile_merge (survivor_id, id);

-- Whom a merge put under its survivor. stood_under: whom they stood under before, null: nobody. given_up: unique values that
-- the survivor took over, and that come back when it is undone.
CREATE TABLE profile_alias (
    profile_id  bigint NOT NULL REFERENCES profile ON DELETE CASCADE,
    merge_id    bigint NOT NULL REFERENCES profile_merge ON DELETE CASCADE,
    stood_under bigint,
    given_up    jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (profile_id, merge_id)
);
CREATE INDEX profile_alias_merge ON profile_alias (merge_id);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
