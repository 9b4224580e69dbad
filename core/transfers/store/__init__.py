"""SQL of imports and exports that are of more than profiles."""
