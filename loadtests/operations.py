"""The GraphQL operations of the locust scenarios. A test holds them against the schema."""

from __future__ import annotations

LIST_PROFILES = """
query ($after: String) {
  profiles(first: 50, after: $after) {
    nodes { id externalId email firstName lastName city country birthDate }
    pageInfo { hasNextPage endCursor }
  }
}"""
SEARCH_PROFILES = """
query ($text: String!) { searchProfiles(text: $text, first: 20) { nodes { id email firstName lastName } } }"""
COUNT_AUDIENCE = """
query ($text: String!) { target(expression: { text: $text }) { count sample(size: 5) { id firstName } } }"""
PREVIEW = "query ($input: PreviewInput!) { preview(input: $input) { subject html text warnings { code } } }"
REPORT = """
query ($id: ID!) {
  delivery(id: $id) {
    state
    counts { targeted excluded pending accepted failed unknown }
    report { links { url total unique } metrics { name value } excluded { reason count } }
  }
}"""
CREATE_PROFILE = """
mutation ($input: CreateProfileInput!) {
  createProfile(input: $input) { profile { id } userErrors { code message path } }
}"""
UPDATE_PROFILE = """
mutation ($input: UpdateProfileInput!) {
  updateProfile(input: $input) { profile { id city } userErrors { code message path } }
}"""
LIST_IDS = "query { profiles(first: 100) { nodes { id } } }"

OPERATIONS: dict[str, str] = {name: text for name, text in list(globals().items()) if name.isupper() and isinstance(text, str)}
