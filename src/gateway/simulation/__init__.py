"""Random users do everything that money can do, in virtual time; the ledger is checked after every step.

It knows the ports and not the adapters: its caller gives it a storage.
"""
