"""One file per thing that changes the ledger."""

from gateway.application.commands.deposit import MakeDeposit
from gateway.application.commands.freeze_account import FreezeAccount, UnfreezeAccount
from gateway.application.commands.open_account import OpenAccount
from gateway.application.commands.pay import Paid, Pay
from gateway.application.commands.register import Register, Registered

__all__ = [
    "FreezeAccount",
    "MakeDeposit",
    "OpenAccount",
    "Paid",
    "Pay",
    "Register",
    "Registered",
    "UnfreezeAccount",
]
