"""The SQL of a claim, which is put together of what there is to be asked of its rows."""

from __future__ import annotations

from functools import cache

from core.consent.opt_outs import FLAGS

# The suppression lists that apply, with the forms of entries that each holds. The LIMIT keeps it at one probe for each list and
# form: a join would be free to read all entries.
_LISTS = """
    SELECT l.id AS list_id, f.form
      FROM suppression_list l
     CROSS JOIN generate_series(1, 5) AS f (form)
     CROSS JOIN LATERAL (SELECT FROM suppression_entry e WHERE e.list_id = l.id AND e.form = f.form LIMIT 1) AS held
     WHERE (l.kind = $3 OR (l.kind = 'email_domain' AND $3 = 'email'))
       AND (l.scope = 'all' OR EXISTS (SELECT FROM delivery_suppression d WHERE d.delivery_id = $1 AND d.list_id = l.id))"""

# A lease, and what there is to be asked of its rows: mostly nothing. min() is one probe of an index, whatever is known of it.
LEASE = f"""
INSERT INTO lease (delivery_id, account_id, address_kind, worker, connections, claimed_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id,
          (SELECT min(merged_into) FROM profile) IS NOT NULL,
          EXISTS (SELECT FROM delivery WHERE id = $1 AND (service_id IS NOT NULL OR purpose_id IS NOT NULL)),
          $3 = 'mobile' AND EXISTS (SELECT FROM short_code_stop),
          EXISTS ({_LISTS}),
          EXISTS (SELECT FROM ledger WHERE delivery_id = $1 AND recipient_kind = 4),
          EXISTS (SELECT FROM erased_address WHERE address_kind = $3)
"""


def _refused(profile: str) -> str:
    """As `core/delivery/steps/consent.py`: of a kind of address that nobody can refuse everybody has."""
    flags = " ".join(f"WHEN '{kind.value}' THEN {profile}.{flag}" for kind, flag in FLAGS.items())
    return f"{profile}.opt_out OR CASE $3::text {flags} ELSE true END"


_HAD = f"""
                WHEN p.merged_into IS NULL AND EXISTS (                                             -- had by an alias
                     SELECT FROM profile a
                       JOIN ledger o ON o.delivery_id = $1 AND o.recipient_kind = 1 AND o.recipient_id = a.id
                      WHERE a.merged_into = p.id AND o.state IN (2, 3, 4, 6)) THEN 11
                WHEN p.merged_into IS NOT NULL AND EXISTS (                                         -- had by another
                     SELECT FROM profile a
                       JOIN ledger o ON o.delivery_id = $1 AND o.recipient_kind = 1 AND o.recipient_id = a.id
                      WHERE (a.id = p.merged_into OR a.merged_into = p.merged_into) AND a.id <> p.id
                        AND (o.state IN (2, 3, 4, 6) OR o.state = 1 AND (a.id = p.merged_into OR a.id < p.id))) THEN 11
                WHEN p.merged_into IS NOT NULL AND EXISTS (                                         -- the survivor refused
                     SELECT FROM profile s
                      WHERE s.id = p.merged_into
                        AND ({_refused("s")})) THEN 8"""

_AGREEMENT = """, agreement AS (
    SELECT d.service_id, d.purpose_id, o.needs_consent
      FROM delivery d LEFT JOIN consent_purpose o ON o.id = d.purpose_id WHERE d.id = $1
)"""
_DISAGREED = """
                WHEN c.recipient_kind = 1 AND a.service_id IS NOT NULL AND NOT coalesce((
                     SELECT s.state = 'active' AND (s.expires_at IS NULL OR s.expires_at > $5) FROM subscription s
                      WHERE s.service_id = a.service_id AND s.profile_id = c.recipient_id), false) THEN 23  -- no subscriber
                WHEN c.recipient_kind = 1 AND a.purpose_id IS NOT NULL AND coalesce((
                     SELECT s.decision <> 'granted' FROM purpose_consent s
                      WHERE s.purpose_id = a.purpose_id AND s.profile_id = c.recipient_id), a.needs_consent)
                     THEN 13                                                                        -- did not agree"""
# The same where people are merged: what counts of all that are one person. See `core/delivery/steps/agreed.py`.
_DISAGREED_AS_ONE = """
                WHEN c.recipient_kind = 1 AND a.service_id IS NOT NULL AND NOT coalesce((
                     SELECT bool_or(s.state = 'active' AND (s.expires_at IS NULL OR s.expires_at > $5))
                            AND NOT bool_or(s.state = 'unsubscribed')
                       FROM person_subscription s
                      WHERE s.service_id = a.service_id AND s.profile_id = coalesce(p.merged_into, p.id)), false)
                     THEN 23                                                                        -- no subscriber
                WHEN c.recipient_kind = 1 AND a.purpose_id IS NOT NULL AND coalesce((
                     SELECT bool_or(s.decision <> 'granted') FROM person_consent s
                      WHERE s.purpose_id = a.purpose_id AND s.profile_id = coalesce(p.merged_into, p.id)), a.needs_consent)
                     THEN 13                                                                        -- did not agree"""

_STOPPED = """
                WHEN EXISTS (                                                                       -- STOP to a short code
                     SELECT FROM lease e
                       JOIN channel_account a ON a.id = e.account_id
                       JOIN short_code_stop t ON t.short_code = a.config ->> 'short_code' AND t.address_key = c.address_key
                      WHERE e.id = $2) THEN 8"""

_NO_TRAP = """
                WHEN c.recipient_kind = 4 AND NOT EXISTS (                                          -- a trap no longer
                     SELECT FROM test_profile t WHERE t.id = c.recipient_id AND 'trap' = ANY (t.uses)) THEN 22
                WHEN c.recipient_kind = 4 AND EXISTS (                                              -- its values were erased
                     SELECT FROM ledger o
                      WHERE o.delivery_id = $1 AND o.recipient_kind = 4 AND o.recipient_id = c.recipient_id
                        AND o.occurrence = c.occurrence AND o.values IS NULL) THEN 22"""

# What the entries of each form would say of an address; see `core/delivery/steps/suppressed.py`.
_SUPPRESSED = """
                WHEN EXISTS (                                                                       -- on a list
                     SELECT FROM suppressing g
                      CROSS JOIN LATERAL (
                            SELECT CASE g.form WHEN 1 THEN c.address_key WHEN 3 THEN md5(c.address_key)
                                               WHEN 2 THEN encode(sha256(convert_to(c.address_key, 'UTF8')), 'hex')
                                               ELSE split_part(c.address_key, '@', 2) END AS value
                             WHERE g.form <> 5
                            UNION ALL
                            SELECT substr(d.domain, i)
                              FROM (SELECT split_part(c.address_key, '@', 2) AS domain) d,
                                   generate_series(1, length(d.domain)) i
                             WHERE g.form = 5 AND (i = 1 OR substr(d.domain, i - 1, 1) = '.')) v
                       JOIN suppression_entry e ON e.list_id = g.list_id AND e.form = g.form AND e.value = v.value
                      WHERE e.expires_at IS NULL OR e.expires_at > $5) THEN 28"""


# Asked under each master key, whose parts are the last parameters; see `core/delivery/steps/erased.py`.
def _erased(first: int) -> str:
    return f"""
                WHEN EXISTS (                                                                       -- erased
                     SELECT FROM unnest(${first}::smallint[], ${first + 1}::bytea[], ${first + 2}::bytea[])
                              AS k (key_id, inner_half, outer_half)
                       JOIN erased_address g ON g.address_kind = $3 AND g.key_id = k.key_id
                        AND g.hash = sha256(k.outer_half || sha256(k.inner_half || convert_to(c.address_key, 'UTF8')))
                      WHERE NOT (c.recipient_kind = 1 AND c.recipient_id = ANY(g.spared))
                        AND NOT (c.recipient_kind = 1 AND EXISTS (
                            SELECT FROM consent_entry e
                             WHERE e.profile_id = c.recipient_id AND e.decision = 'granted' AND e.by_person
                               AND e.happened_at > g.erased_at))) THEN 29"""


@cache
def claim_text(after: bool, merged: bool, agreed: bool, stopped: bool, listed: bool, trapped: bool, erased: bool) -> str:
    """The claim behind a position or from the beginning, with the questions for which there is a reason.

    Not one text with ORs: only the plain comparison can start the index scan behind the rows claimed before, whose dead entries
    would otherwise be walked over again and again. And PostgreSQL plans each claim anew, also what it then does not ask.
    """
    behind = "AND (due_at, recipient_kind, recipient_id, occurrence) > ($6::timestamptz, $7::smallint, $8::bigint, $9::integer)"
    disagreed = (_DISAGREED_AS_ONE if merged else _DISAGREED) if agreed else ""
    # `checked` is kept, or the reason would be found out once for each column that is set by it.
    return f"""
WITH candidate AS (
    SELECT recipient_kind, recipient_id, occurrence, address_key FROM ledger
     WHERE delivery_id = $1 AND state = 1 AND due_at <= $5 {behind if after else ""}
     ORDER BY due_at, recipient_kind, recipient_id, occurrence
     LIMIT $4 FOR UPDATE SKIP LOCKED
){f", suppressing AS MATERIALIZED ({_LISTS})" if listed else ""}{_AGREEMENT if agreed else ""}, checked AS MATERIALIZED (
    SELECT c.recipient_kind, c.recipient_id, c.occurrence,
           CASE WHEN c.recipient_kind = 1 AND p.id IS NULL THEN 22                                  -- profile deleted
                {_NO_TRAP if trapped else ""}
                {_HAD if merged else ""}
                WHEN {_refused("p")} THEN 8                                                         -- denylisted
                {disagreed}
                WHEN q.address_key IS NOT NULL THEN 9                                               -- quarantined
                {_STOPPED if stopped else ""}
                {_SUPPRESSED if listed else ""}
                {_erased(10 if after else 6) if erased else ""}
                ELSE 0 END AS reason
      FROM candidate c {"CROSS JOIN agreement a" if agreed else ""}
      LEFT JOIN profile p ON c.recipient_kind = 1 AND p.id = c.recipient_id
      LEFT JOIN quarantine q ON q.address_kind = $3 AND q.address_key = c.address_key
                            AND q.status IN ('quarantine', 'denylisted')
)
UPDATE ledger l
   SET state = CASE WHEN k.reason = 0 THEN 2 ELSE 7 END,
       reason = k.reason,
       lease_id = CASE WHEN k.reason = 0 THEN $2::bigint END,
       settled_at = CASE WHEN k.reason = 0 THEN NULL ELSE $5::timestamptz END
  FROM checked k
 WHERE l.delivery_id = $1 AND l.recipient_kind = k.recipient_kind AND l.recipient_id = k.recipient_id
   AND l.occurrence = k.occurrence
RETURNING l.recipient_kind, l.recipient_id, l.occurrence, l.attempt, l.program_id, l.address, l.address_key, l.values,
          l.state, l.reason, l.due_at
"""
