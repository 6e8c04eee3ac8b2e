"""Migration scripts; each stands on its own and imports nothing of shortcast."""
