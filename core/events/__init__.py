"""Business events: what people did elsewhere, told by other systems, to be asked about and acted upon."""
