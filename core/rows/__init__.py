"""Rows of the datasets that a team has published: created, changed, deleted, found, and followed along their links.

Values are checked by the published model (`shape`, `reading`), links name their rows by id or by what those are known by
(`targets`). Sets of rows are written by a handful of statements, however many rows there are; what one row lacks keeps no other
out (`writing`, `deleting`, `pairs`). Questions in the expression language filter them (`listing`). The tables are made by
`core.datamodel`; this room owns none. Announces nothing.
"""
