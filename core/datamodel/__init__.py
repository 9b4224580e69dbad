"""What a team adds to the data: fields of its own on our tables, and datasets of its own.

Changes are made in one draft, previewed (`preview.py`: what differs, which statements, what they lock and hide) and then
published (`publication.py`) as real columns and tables. What a published model no longer has is hidden; dropping it is an
act of its own.
"""
