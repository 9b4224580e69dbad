"""People: their fields, what they refuse, and the addresses we must not write to.

Owns `profile`, `quarantine`, `import_run`, `import_reject` and `export_run`. `fields.py` is the one table of a
profile's fields: changes, import, export and the API are derived from it. Announces `import.ready` and
`export.ready`.
"""
