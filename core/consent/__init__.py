"""What people agreed to and refused: services and subscriptions, purposes, preferences, and the ledger that proves it.

Owns `service`, `subscription`, `subscription_event`, `consent_purpose`, `consent_wording`, `consent_entry` and
`purpose_consent`, and the opt-out flags of `profile`. The ledger (`consent_entry`) and the history (`subscription_event`)
are only ever added to; the flags, the decisions per purpose and the subscriptions follow from them, are written in the same
transaction, and can be worked out anew (`ledger.py`).

What targeting may ask, by one EXISTS over a primary key each (`docs/consent.md` has the columns):

    EXISTS (SELECT FROM subscription s JOIN service v ON v.id = s.service_id
             WHERE v.name = $name AND s.profile_id = p.id AND s.state = 'active'
               AND (s.expires_at IS NULL OR s.expires_at > $now))
    EXISTS (SELECT FROM purpose_consent c JOIN consent_purpose o ON o.id = c.purpose_id
             WHERE o.name = $name AND c.profile_id = p.id AND c.decision = 'granted')
"""
