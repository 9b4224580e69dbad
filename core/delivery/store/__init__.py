"""All SQL of the delivery room, one file per group of tables."""
