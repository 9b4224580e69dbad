"""The SQL of this room: on its own tables, on whom a request is about, and on whatever tables the rooms declare."""
