"""MJML as a source of HTML."""
