"""Rows of datasets in GraphQL."""
