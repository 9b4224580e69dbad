"""The schema, as Alembic revisions with their SQL written out.

To add one: `clarion migrate new NAME`, write the SQL into the file it makes. Revisions are never edited after a release and
contain no application code. They run under an advisory lock, and a database that is newer than the code is refused.
"""
