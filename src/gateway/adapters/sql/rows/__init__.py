"""Records as rows of the tables, and back."""
