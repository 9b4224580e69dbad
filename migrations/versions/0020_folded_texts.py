"""Texts are compared without case and accents, and found so by an index."""

from migrations.runner import run_sql

revision = "0020"
down_revision = "0019"

SQL = r"""
-- A text as questions compare it. It is not STRICT, though it gives NULL for NULL: Postgres writes the body of a function that
-- holds a CASE into a statement only then, and a call for each row costs ten times as much as lower(). Most texts are plain
-- ASCII and cost that alone. Accents go where they stand on Latin and Greek letters: й is another letter than и.
CREATE FUNCTION fold_text(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN octet_length($1) = char_length($1) THEN lower($1) ELSE
        replace(replace(replace(
            normalize(regexp_replace(
                normalize(translate(lower($1), 'øđłħŧıſςё', 'odlhtisσе'), NFD), '([a-zα-ω])[\u0300-\u036f]+', '\1', 'g'), NFC),
            'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe')
    END
$$;

DROP INDEX profile_last_name, profile_first_name;
CREATE INDEX profile_last_name ON profile (fold_text(last_name) text_pattern_ops);
CREATE INDEX profile_first_name ON profile (fold_text(first_name) text_pattern_ops);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
