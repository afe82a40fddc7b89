"""Working the whole ledger out again from its transactions, and naming what differs."""
