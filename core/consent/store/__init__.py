"""SQL on consent."""
