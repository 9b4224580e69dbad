"""What a marketer writes: audiences, content, channel accounts, campaigns, deliveries as drafts."""

from migrations.runner import run_sql

revision = "0003"
down_revision = "0002"

SQL = """
CREATE TABLE audience (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE,
    label           text NOT NULL,
    kind            text NOT NULL DEFAULT 'query',
    expression      jsonb NOT NULL,
    expression_text text NOT NULL,
    version         bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    created_by      text NOT NULL
);

CREATE TABLE content (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    label      text NOT NULL,
    channel    text NOT NULL,
    parts      jsonb NOT NULL,
    data       jsonb NOT NULL DEFAULT '{}',
    version    bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL
);

CREATE TABLE channel_account (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL UNIQUE,
    label        text NOT NULL,
    channel      text NOT NULL,
    config       jsonb NOT NULL,
    secrets      bytea,                        -- sealed, opened for the plugin alone
    secret_names text[] NOT NULL DEFAULT '{}', -- which ones are set
    version      bigint NOT NULL DEFAULT 1,
    paused_at    timestamptz,
    pause_reason text,
    retry_at     timestamptz,
    failures     integer NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text NOT NULL
);

CREATE TABLE campaign (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    label      text NOT NULL,
    starts_on  date,
    ends_on    date,
    version    bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL
);

CREATE TABLE delivery (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name               text NOT NULL UNIQUE,
    label              text NOT NULL,
    campaign_id        bigint REFERENCES campaign,
    channel_account_id bigint NOT NULL REFERENCES channel_account,
    audience_id        bigint NOT NULL REFERENCES audience,
    content_id         bigint NOT NULL REFERENCES content,
    contact_at         timestamptz,
    duration           interval NOT NULL DEFAULT interval '3 days 12 hours',
    unknown_policy     text NOT NULL DEFAULT 'park' CHECK (unknown_policy IN ('park', 'resend')),
    version            bigint NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    created_by         text NOT NULL
);
CREATE INDEX delivery_campaign ON delivery (campaign_id);
CREATE INDEX delivery_audience ON delivery (audience_id);
CREATE INDEX delivery_content ON delivery (content_id);
CREATE INDEX delivery_account ON delivery (channel_account_id);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
