"""People: their fields, what they refuse, and the addresses we must not write to.

Owns `profile`, `quarantine` with its settings, suppression lists, and the runs of imports and exports. `fields.py` is the
one table of a profile's fields: changes, import, export and the API are derived from it. Announces `import.ready`,
`export.ready`, `suppression_import.ready` and `suppression_export.ready`.
"""
