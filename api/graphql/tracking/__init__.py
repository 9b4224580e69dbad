"""What people did with what they got, as events with a cursor."""
