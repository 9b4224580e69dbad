"""From a planned delivery to messages handed over, with every refusal written down.

Owns `delivery_run`, `delivery_log`, `program`, `tracked_link`, `ledger`, `ledger_count`, `lease`. The ledger has one row per
targeted recipient and ends with one state and one reason for each; at every moment

    targeted = excluded + pending + accepted + failed + unknown + withdrawn + expired + cancelled

Announces `delivery.prepare_asked`, `delivery.prepared`, `delivery.confirmed`, `delivery.started`, `delivery.resumed`,
`delivery.due`, `delivery.stopped`, `delivery.finished`.

Read `lifecycle.py` for what a person may do, `prepare.py` for how the ledger comes to be, `send.py` for the hot path.
"""
