"""Expressions, what they count and whom they find, and audiences: expressions under a name."""
