"""People: profiles, their import and export, quarantined addresses."""
