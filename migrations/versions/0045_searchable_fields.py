"""People are found by the words of fields that a team declares searchable (feature map 2.11)."""

from migrations.runner import run_sql

revision = "0045"
down_revision = "0044"

SQL = r"""
ALTER TABLE data_model_build DROP CONSTRAINT data_model_build_kind_check;
ALTER TABLE data_model_build ADD CONSTRAINT data_model_build_kind_check
      CHECK (kind IN ('key', 'index', 'link', 'reference', 'search'));

-- As before, and a word has 255 characters: a tsvector holds none of more than 2,047 bytes, and says nothing when it gets one.
-- No column of ours has room for such a word, but for letters that are written out as several.
CREATE OR REPLACE FUNCTION folded_words(text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
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
    IF octet_length(folded) > 255 THEN
        folded := regexp_replace(folded, '([^ ]{255})[^ ]+', '\1', 'g');
    END IF;
    RETURN string_to_array(lower(btrim(folded) COLLATE "C"), ' ');
END
$$;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
