"""Deliveries: planned, prepared, sent; their log, their ledger, and why somebody did not get one."""
