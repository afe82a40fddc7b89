"""The use-cases that change the ledger, one per file."""

from gateway.application.commands.cancel_payment import CancelPayment
from gateway.application.commands.capture_payment import CapturePayment
from gateway.application.commands.confirm_payment import ConfirmPayment
from gateway.application.commands.deposit import MakeDeposit
from gateway.application.commands.expire_payment import ExpirePayment
from gateway.application.commands.freeze_account import FreezeAccount, UnfreezeAccount
from gateway.application.commands.make_quote import MakeQuote
from gateway.application.commands.open_account import OpenAccount
from gateway.application.commands.pay import Pay
from gateway.application.commands.payout import MakePayout
from gateway.application.commands.refund_payment import RefundPayment
from gateway.application.commands.register import Register, Registered
from gateway.application.commands.request_payment import RequestPayment
from gateway.application.commands.reverse_transaction import ReverseTransaction
from gateway.application.commands.set_fees import SetFees
from gateway.application.commands.shared.payments import Paid

__all__ = [
    "CancelPayment",
    "CapturePayment",
    "ConfirmPayment",
    "ExpirePayment",
    "FreezeAccount",
    "MakeDeposit",
    "MakePayout",
    "MakeQuote",
    "OpenAccount",
    "Paid",
    "Pay",
    "RefundPayment",
    "Register",
    "Registered",
    "RequestPayment",
    "ReverseTransaction",
    "SetFees",
    "UnfreezeAccount",
]
