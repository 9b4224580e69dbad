"""API tokens, and who is asking."""
