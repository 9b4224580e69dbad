"""The data model: fields and datasets of a team, as a draft and as published."""
