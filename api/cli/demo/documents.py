"""The GraphQL operations of the demo. Those of an import that `clarion import` has too are in api/cli/transfer.py.

A test holds them against the schema.
"""

from __future__ import annotations

IMPORT_PROGRESS = """
subscription ($id: ID!) {
  importProgress(importId: $id) {
    state bytesTotal bytesRead inserted updated unchanged rejected repeated hasRejects error { code message hint }
  }
}"""

CREATE_AUDIENCE = """
mutation ($input: CreateAudienceInput!) {
  createAudience(input: $input) {
    audience { id expression target { count sample(size: 4) { id externalId firstName lastName city } } }
    userErrors { code message path hint }
  }
}"""
CREATE_ACCOUNT = """
mutation ($input: CreateChannelAccountInput!) {
  createChannelAccount(input: $input) { channelAccount { id } userErrors { code message path hint } }
}"""
CREATE_CONTENT = """
mutation ($input: CreateContentInput!) {
  createContent(input: $input) { content { id } userErrors { code message path hint } }
}"""
PREVIEW = "query ($input: PreviewInput!) { preview(input: $input) { subject html text warnings { code message } } }"
CREATE_CAMPAIGN = """
mutation ($input: CreateCampaignInput!) {
  createCampaign(input: $input) { campaign { id } userErrors { code message path hint } }
}"""
CREATE_DELIVERY = """
mutation ($input: CreateDeliveryInput!) {
  createDelivery(input: $input) { delivery { id } userErrors { code message path hint } }
}"""
PREPARE = "mutation ($id: ID!) { prepareDelivery(id: $id) { delivery { id } userErrors { code message path hint } } }"
CONFIRM = "mutation ($id: ID!) { confirmDelivery(id: $id) { delivery { id } userErrors { code message path hint } } }"
DELIVERY_PROGRESS = """
subscription ($id: ID!) {
  deliveryProgress(deliveryId: $id) {
    state pauseReason prepared settled counts { targeted excluded pending accepted failed unknown withdrawn }
  }
}"""
LEDGER = """
query ($id: ID!, $first: Int!, $after: String, $named: Boolean!) {
  delivery(id: $id) {
    ledger(first: $first, after: $after) {
      nodes { recipientId state reason address afterHandOver profile @include(if: $named) { externalId } }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""
EXPLAIN = """
query ($id: ID!, $profile: ID!) { delivery(id: $id) { explain(profileId: $profile) { targeted summary } } }"""
REPORT = """
query ($id: ID!) {
  delivery(id: $id) {
    label state startedAt finishedAt error { message hint }
    report {
      counts { targeted excluded pending accepted failed unknown withdrawn expired cancelled sent }
      excluded { reason count } failed { reason count } withdrawn { reason count }
      links { number url label total unique }
      metrics { name label unit value }
    }
  }
}"""

TRACKING_CURSOR = "query { trackingEvents(first: 1, machines: true) { cursor events { position } } }"
TRACKING_EVENTS = """
subscription ($after: String!) {
  trackingEvents(after: $after, machines: true) {
    cursor events { position at kind deliveryId profileId url machine corrects }
  }
}"""

OPERATIONS: dict[str, str] = {name: text for name, text in list(globals().items()) if name.isupper() and isinstance(text, str)}
