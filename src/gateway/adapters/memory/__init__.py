"""Storage in plain dictionaries, with the transaction rules of a real database."""
