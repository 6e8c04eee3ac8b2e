"""Drugs, products and firms: one name for each thing, whatever a source calls it."""
