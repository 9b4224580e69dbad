"""All SQL of the data model: `model` has drafts, what was published, and the tables; `builds` what jobs build."""
