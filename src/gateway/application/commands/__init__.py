"""The use-cases that change the ledger, one per file."""
