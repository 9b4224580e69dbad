"""What people agreed to: services and subscriptions, purposes, wordings, preferences and the ledger."""
