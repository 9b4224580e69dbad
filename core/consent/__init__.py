"""What people agreed to and refused: services and subscriptions, purposes, preferences, and the ledger that proves it."""
