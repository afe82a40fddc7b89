"""The rules: what money, accounts, transfers and payments mean. No I/O, no clock, no await, standard library only."""
