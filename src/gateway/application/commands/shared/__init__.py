"""What several use-cases have in common."""
