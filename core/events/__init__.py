"""Business events: what people did elsewhere, told by other systems, to be asked about and acted upon.

Owns `event_type`, `event_types_version`, `event_key`, `event_change` and a table `e_<type>` for each type, partitioned by month
(`physical.py` says what lies where). Types are made and changed at once, by who may model data (`event_types.py`). Events are
recorded in sets (`recording.py`): read against their type, given to their profiles, known by their keys, copied into the table
of their type. Events are never changed.

Announces nothing: who depends on events follows the stream of changes from a cursor (`changes.py`).
"""
