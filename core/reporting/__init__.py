"""Questions about what happened. Reads only, and reads counters: no report of a delivery scans rows. A person's history is no
report: it looks up the person's rows. Who is active is counted from the ledger, for whoever asks now and then.

Owns no table. The counters belong to the rooms where things happen (`ledger_count`, `tracking_count`) and move in the
transactions of the rows and events themselves, so that a report adds up at every moment. A metric is one entry in
`metrics.py`.
"""
