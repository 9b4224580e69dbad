"""What people did with a message, as facts. Rows are added, never changed.

Owns `tracking_position`, `tracking_event`, `tracking_first`, `tracking_count`, `tracking_second_look`, `machine_rule`. A hit
is answered only once it is committed. Hits are committed in groups, one statement each, that takes the stream first: a lock
that it holds until its commit is visible. So the order of positions is the order of commits, whatever other transactions are
open. The counters of a delivery move in the same transaction, and a report is right at every moment:

    total   = events of people (machine: of machines)
    uniques = recipients with at least one event of people (machine: recipients with events of machines alone)

What turns out a moment later to be a machine's doing (a burst, a hidden link) is taken back by a row that names the earlier
one (`bursts.py`, `second_look.py`).

Announces nothing: who wants to know reads the stream from a cursor. Read `append.py` for the heart of it, `hits.py` for
how hits become groups, `stream.py` for how they are followed.
"""
