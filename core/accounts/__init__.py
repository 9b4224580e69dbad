"""Who may use the house: API tokens, with roles and scopes.

Owns `api_token`. Only a keyed hash of a token's secret is kept, so that neither the table nor a copy of it
opens the door.
"""
