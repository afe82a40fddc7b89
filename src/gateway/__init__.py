"""An async payment gateway in ports and adapters: what an embedding service imports."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gateway.application.access import SignedIn
from gateway.application.caller import Caller
from gateway.application.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    ExpirePayment,
    FreezeAccount,
    MakeDeposit,
    MakePayout,
    MakeQuote,
    OpenAccount,
    Paid,
    Pay,
    RefundPayment,
    Register,
    Registered,
    RequestPayment,
    ReverseTransaction,
    SetFees,
    UnfreezeAccount,
)
from gateway.application.exchange import Exchange
from gateway.application.gateway import Gateway
from gateway.application.ports.unit_of_work import StorageRefused, StorageUnavailable
from gateway.domain.account import Account, AccountId, AccountKey, AccountKind, AccountStatus
from gateway.domain.deposit import Deposit
from gateway.domain.errors import FieldError, InvalidInput, Refusal
from gateway.domain.fees import FeeSchedule
from gateway.domain.money import CurrencyCode, Money, currency_code
from gateway.domain.payment import (
    CaptureMethod,
    Payment,
    PaymentId,
    PaymentOrder,
    PaymentRequest,
    PaymentStatus,
    QuoteId,
)
from gateway.domain.payout import Payout
from gateway.domain.quote import Quote
from gateway.domain.rate import CurrencyPair, ExchangeRate, Rate, rate_of
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction, TransactionId
from gateway.domain.user import Role, User, UserId

if TYPE_CHECKING:
    from gateway.bootstrap import StartRefused, collect_garbage_seldom, in_memory_gateway, open_gateway
    from gateway.settings import Settings, SettingsRefused, read_settings

__all__ = [
    "Account",
    "AccountId",
    "AccountKey",
    "AccountKind",
    "AccountStatus",
    "Caller",
    "CancelPayment",
    "CaptureMethod",
    "CapturePayment",
    "ConfirmPayment",
    "CurrencyCode",
    "CurrencyPair",
    "Deposit",
    "Exchange",
    "ExchangeRate",
    "ExpirePayment",
    "FeeSchedule",
    "FieldError",
    "FreezeAccount",
    "Gateway",
    "InvalidInput",
    "MakeDeposit",
    "MakePayout",
    "MakeQuote",
    "Money",
    "OpenAccount",
    "Paid",
    "Pay",
    "Payment",
    "PaymentId",
    "PaymentOrder",
    "PaymentRequest",
    "PaymentStatus",
    "Payout",
    "Quote",
    "QuoteId",
    "Rate",
    "Refund",
    "RefundPayment",
    "Refusal",
    "Register",
    "Registered",
    "RequestPayment",
    "ReverseTransaction",
    "Role",
    "SetFees",
    "Settings",
    "SettingsRefused",
    "SignedIn",
    "StartRefused",
    "StorageRefused",
    "StorageUnavailable",
    "Transaction",
    "TransactionId",
    "UnfreezeAccount",
    "User",
    "UserId",
    "collect_garbage_seldom",
    "currency_code",
    "in_memory_gateway",
    "open_gateway",
    "rate_of",
    "read_settings",
]

# Brought in when first asked for, so that whoever wants only the domain does not load every adapter with it.
_LATER = {
    "Settings": "gateway.settings",
    "SettingsRefused": "gateway.settings",
    "StartRefused": "gateway.bootstrap",
    "collect_garbage_seldom": "gateway.bootstrap",
    "in_memory_gateway": "gateway.bootstrap",
    "open_gateway": "gateway.bootstrap",
    "read_settings": "gateway.settings",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
