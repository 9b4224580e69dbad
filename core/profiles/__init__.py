"""People: their fields, what they refuse, and the addresses we must not write to.

Owns `profile`, `test_profile`, `profile_merge`, `profile_alias`, `app_subscription`, `visitor`, `quarantine` with its settings,
suppression lists, and the runs of imports and exports. `fields.py` is the one table of a profile's fields: changes, import,
export and the API are derived from it. A profile that is merged says so in `merged_into` and is read as its survivor:
`merging.py`. Announces `import.ready`, `export.ready`, `suppression_import.ready` and `suppression_export.ready`.
"""
