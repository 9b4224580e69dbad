"""What people did: the event stream, uniques, counters, rules that tell machines from people."""

from migrations.runner import run_sql

revision = "0005"
down_revision = "0004"

SQL = """
-- Positions of the event stream. Taken under an advisory lock that is held to the end of the transaction, so that position
-- order is commit order, whatever other transactions are open. Not a row: a row that every commit changes grows slow while an
-- old snapshot keeps its versions alive.
CREATE SEQUENCE tracking_position AS bigint MINVALUE 1 CACHE 1;

-- kind: URL type codes of feature map A.4 (1 click, 2 open, 3 unsubscribe, 6 mirror page).
-- machine_rule: 0 a person, else the rule that said so. corrects: the position of an earlier event that this row re-marks.
-- url: the address as the author wrote it, before personal values enter it.
CREATE TABLE tracking_event (
    position        bigint NOT NULL,
    at              timestamptz NOT NULL,
    delivery_id     bigint NOT NULL,
    recipient_id    bigint NOT NULL,
    corrects        bigint,
    occurrence      integer NOT NULL DEFAULT 0,
    link            integer NOT NULL DEFAULT 0,
    link_occurrence integer NOT NULL DEFAULT 0,
    recipient_kind  smallint NOT NULL DEFAULT 1,
    kind            smallint NOT NULL,
    machine_rule    smallint NOT NULL DEFAULT 0,
    url             text,
    user_agent      text,
    PRIMARY KEY (position, recipient_id, at)
) PARTITION BY RANGE (at);
CREATE INDEX tracking_event_recipient ON tracking_event (delivery_id, recipient_id, at);

-- Takes what no month's partition takes, so that no clock can lose an event. Emptied when its month is made.
CREATE TABLE tracking_event_other PARTITION OF tracking_event DEFAULT;

-- Which recipients did what at least once, for uniques. kind 0: anything at all; link 0: any link.
-- machine: so far only machines did it. machine_first: a machine did it first; tells a new row from one that a person took
-- over.
CREATE TABLE tracking_first (
    delivery_id    bigint NOT NULL,
    recipient_id   bigint NOT NULL,
    occurrence     integer NOT NULL,
    link           integer NOT NULL,
    recipient_kind smallint NOT NULL,
    kind           smallint NOT NULL,
    machine        boolean NOT NULL,
    machine_first  boolean NOT NULL,
    PRIMARY KEY (delivery_id, recipient_id, recipient_kind, occurrence, kind, link)
);

-- Moved in the transactions of the events. Kind 0 and link 0 as in tracking_first. machine: total of machines' events, and
-- how many recipients only machines stood for. slot: writers use a new one every few seconds, so that no row has many versions
-- while an old snapshot is open; a sweep folds them into slot 0. A counter is the sum over its slots.
CREATE TABLE tracking_count (
    delivery_id bigint NOT NULL,
    slot        integer NOT NULL,
    link        integer NOT NULL,
    kind        smallint NOT NULL,
    machine     boolean NOT NULL,
    total       bigint NOT NULL,
    uniques     bigint NOT NULL,
    PRIMARY KEY (delivery_id, kind, link, machine, slot)
) WITH (fillfactor = 50);
CREATE INDEX tracking_count_unfolded ON tracking_count (slot) WHERE slot <> 0;

-- Rules as data. kind: agent (pattern is a regular expression on the user agent), method (pattern is a verb),
-- burst (all links of a message, `least` of them or more, within `seconds`), hidden_link (a link that no person sees).
-- A burst and a hidden link re-mark what the same message saw in the `seconds` before.
CREATE TABLE machine_rule (
    id          smallint PRIMARY KEY CHECK (id > 0),
    kind        text NOT NULL CHECK (kind IN ('agent', 'method', 'burst', 'hidden_link')),
    pattern     text CHECK (pattern IS NOT NULL OR kind NOT IN ('agent', 'method')),
    seconds     integer CHECK (seconds > 0 AND (seconds IS NOT NULL) = (kind IN ('burst', 'hidden_link'))),
    least       integer CHECK (least >= 2 AND (least IS NOT NULL) = (kind = 'burst')),
    description text NOT NULL,
    enabled     boolean NOT NULL DEFAULT true
);
INSERT INTO machine_rule (id, kind, pattern, seconds, least, description) VALUES
    (1, 'agent',
     '(?i)((?<!cu)bot|crawl|spider|slurp|scan|preview|fetch|monitor|externalhit)([^a-z]|$)', NULL, NULL,
     'Names itself a robot'),
    (2, 'agent',
     '(?i)(python-(requests|urllib|httpx)|aiohttp|curl/|wget|go-http-client|java/|okhttp|libwww|headlesschrome|phantomjs)',
     NULL, NULL, 'A program, not a browser'),
    (3, 'agent', '(?i)(GoogleImageProxy|YahooMailProxy|ggpht\\.com)', NULL, NULL, 'Image proxy of a webmail'),
    (4, 'agent',
     '(?i)(barracuda|mimecast|proofpoint|symantec|messagelabs|forcepoint|trendmicro|sophos|cloudmark|ironport)',
     NULL, NULL, 'Security gateway'),
    (5, 'agent', '^\\s*$', NULL, NULL, 'No user agent at all'),
    (6, 'method', '^HEAD$', NULL, NULL, 'Asks for headers only'),
    (7, 'burst', NULL, 5, 2, 'Every link of a message within seconds'),
    (8, 'hidden_link', NULL, 5, NULL, 'Followed a link that no person sees'),
    (9, 'agent', '^Mozilla/5\\.0$', NULL, NULL, 'Privacy proxy of a mail program');
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
