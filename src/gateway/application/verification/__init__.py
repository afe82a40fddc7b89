"""Verification: the ledger recomputed from its history and compared with its rows."""
