"""Events: the changes of payments, accounts and other records."""
