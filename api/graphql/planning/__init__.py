"""Campaigns, channels and channel accounts."""
