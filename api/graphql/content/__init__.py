"""What messages say: content for a channel, and what one person would get of it."""
