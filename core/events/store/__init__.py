"""SQL of business events."""
