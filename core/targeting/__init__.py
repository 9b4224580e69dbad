"""From a question about people to a set of people.

A question has two spellings, text (`parse`) and JSON (`json_form`), and one tree (`language`). `check` holds
it against the `catalogue`, `sql` turns it into one condition with bound values, and `audiences` saves, counts
and samples. `membership` keeps the members of audiences up to date. Owns the table `audience`; announces `audience.kept`,
`audience.released` and `audience.upkeep_due`.
"""
