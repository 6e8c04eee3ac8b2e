"""The history of the application database's tables, one script a change."""
