"""The business of Clarion.

Files directly in this folder are the floor: settings, errors, clock, database, outbox, jobs. Folders are rooms, in the
order in which data flows; a room may use the rooms before it, never back:

    accounts → datamodel → profiles → consent → events → targeting → content → planning → delivery → tracking → reporting

`core.workers` is the second door: it turns what happened (outbox rows) into what is done next (jobs).
A row in Postgres is the truth; a broker message only says "look".
"""
