"""SQL on what the runs behind files tell of their contents."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection

# A computed column that follows links may hold values of somebody else than its row is about.
_FOLLOWS_LINKS = r'"aggregate"|"field": "[^"]*[.]'


async def find_searchable(
    conn: Connection, file_ids: Sequence[int], known_by: Sequence[str], keys: Sequence[str], datasets: Sequence[str]
) -> set[int]:
    """Those of the files in which somebody is sure to be found by their words, if they are in there at all.

    known_by: fields whose values the person is looked for by; keys: those of imports with such a value; datasets: those whose
    rows are nobody's. A file whose run is not there any more is none of them.
    """
    rows = await conn.fetch(
        """
        WITH import_file AS (
            SELECT unnest(ARRAY[file_id, rejects_file_id]) AS id FROM import_run
             WHERE (file_id = ANY($1::bigint[]) OR rejects_file_id = ANY($1::bigint[]))
               AND CASE coalesce(options #>> '{target,kind}', 'profiles')
                       WHEN 'quarantine' THEN true
                       WHEN 'dataset' THEN options #>> '{target,dataset}' = ANY($4::text[])
                       ELSE match_key = ANY($3::text[])
                   END
        )
        SELECT id FROM import_file WHERE id = ANY($1::bigint[])
        UNION ALL
        SELECT file_id FROM export_run
         WHERE file_id = ANY($1::bigint[]) AND computed::text !~ $5
           AND CASE dimension
                   WHEN 'profile' THEN EXISTS (SELECT FROM unnest(columns) AS name
                                                WHERE name = ANY($2::text[]) AND NOT computed ? name)
                   ELSE dimension = ANY($4::text[])
               END
        UNION ALL
        SELECT a.file_id FROM audience_file a
         WHERE a.file_id = ANY($1::bigint[])
           AND (SELECT bool_and(key ->> 'field' = ANY($2::text[]))
                  FROM audience_run r, jsonb_array_elements(r.request -> 'keys') AS key
                 WHERE r.audience_id = a.audience_id AND r.task IN ('load', 'reconcile'))
        UNION ALL
        SELECT file_id FROM suppression_export WHERE file_id = ANY($1::bigint[])
        UNION ALL
        SELECT unnest(ARRAY[file_id, rejects_file_id]) FROM suppression_import
         WHERE file_id = ANY($1::bigint[]) OR rejects_file_id = ANY($1::bigint[])
        UNION ALL
        SELECT file_id FROM privacy_request WHERE file_id = ANY($1::bigint[])
        """,
        file_ids, known_by, keys, datasets, _FOLLOWS_LINKS,
    )  # fmt: skip
    return {row["id"] for row in rows}


async def find_files_of(conn: Connection, file_ids: Sequence[int], names: Sequence[str]) -> set[int]:
    """Those of the files that may hold rows of these entities: exports of them, and of what follows links to them; imports."""
    rows = await conn.fetch(
        """
        SELECT file_id AS id FROM export_run
         WHERE file_id = ANY($1::bigint[]) AND (dimension = ANY($2::text[]) OR computed::text ~ $3)
        UNION ALL
        SELECT unnest(ARRAY[file_id, rejects_file_id]) FROM import_run
         WHERE (file_id = ANY($1::bigint[]) OR rejects_file_id = ANY($1::bigint[]))
           AND options #>> '{target,kind}' = 'dataset' AND options #>> '{target,dataset}' = ANY($2::text[])
        """,
        file_ids, names, _FOLLOWS_LINKS,
    )  # fmt: skip
    return {row["id"] for row in rows}.intersection(file_ids)
