"""Early warning of US drug shortages from public records."""

__version__ = "0.1.0"
