"""Privacy requests: who gets what is kept of them, and who is erased."""
