"""Members of audiences that are kept: brought up to date by what has changed, not counted anew.

`keeping` says which audiences are kept and reads what is known of them. `sources` tells what an expression reads and whose it
is, `capture` has the database note what of that changes, `due` when an answer changes by time alone (`instants` is its
arithmetic, `due_rows` its statements), `evaluation` asks about some people or about everybody, and `upkeep` puts them together.
Owns the tables `kept_audience`, `kept_member`, `membership_log` and `membership_change`.
"""
