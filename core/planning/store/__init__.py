"""All SQL of planning, one file per table."""
