"""Business events: their types, what is told, and what people did."""
