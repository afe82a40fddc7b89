"""An async payment gateway in ports and adapters: what an embedding service imports."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.adapters.memory.database import MemoryDatabase
    from gateway.application.access.access import Access, SignedIn
    from gateway.application.access.caller import TRUSTED, Caller
    from gateway.application.accounts import Accounts
    from gateway.application.commands.cancel_payment import CancelPayment
    from gateway.application.commands.capture_payment import CapturePayment
    from gateway.application.commands.change_webhook_endpoint import ChangeWebhookEndpoint
    from gateway.application.commands.confirm_payment import ConfirmPayment
    from gateway.application.commands.create_webhook_endpoint import CreateWebhookEndpoint
    from gateway.application.commands.delete_webhook_endpoint import DeleteWebhookEndpoint
    from gateway.application.commands.deposit import MakeDeposit
    from gateway.application.commands.disable_webhook_endpoint import DisableWebhookEndpoint
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
    from gateway.application.commands.rotate_webhook_secret import RotateWebhookSecret
    from gateway.application.commands.send_test_event import SendTestEvent, SentTestEvent
    from gateway.application.commands.set_fees import SetFees
    from gateway.application.commands.shared.payments import PaymentResult
    from gateway.application.engine.command import Command
    from gateway.application.engine.event_loop import WrongEventLoop
    from gateway.application.engine.loop_calls import GatewayClosed
    from gateway.application.events.event_queries import EventQueries
    from gateway.application.events.feed import Events
    from gateway.application.events.subscription import Subscription
    from gateway.application.gateway import Gateway
    from gateway.application.ports.delivery_records import (
        Attempt,
        Delivery,
        DeliveryId,
        DeliveryOutcome,
        Replay,
        ReplayId,
    )
    from gateway.application.ports.events import EventFilter, FeedEvent, FoundEvents
    from gateway.application.ports.reader import AccountFilter, CurrencyTotals, PaymentFilter, TransactionFilter
    from gateway.application.ports.sessions import SessionId
    from gateway.application.ports.unit_of_work import StorageReadOnly, StorageRefused, StorageUnavailable
    from gateway.application.queries import Page, Queries
    from gateway.application.quotes import Quotes
    from gateway.application.sync_gateway import SyncGateway
    from gateway.application.webhook_deliveries import WebhookDeliveries
    from gateway.application.webhooks import Webhooks
    from gateway.bootstrap.garbage_collection import collect_garbage_seldom
    from gateway.bootstrap.refusal import StartRefused
    from gateway.bootstrap.serving import GatewayApp, asgi
    from gateway.bootstrap.threads import open_gateway_sync
    from gateway.bootstrap.wiring import in_memory_gateway, open_gateway
    from gateway.domain.account import Account, AccountId, AccountKey, AccountKind, AccountStatus
    from gateway.domain.deposit import Deposit, DepositId
    from gateway.domain.errors import FieldError, InvalidInput, Refusal
    from gateway.domain.event import EventId
    from gateway.domain.event_type import EventType
    from gateway.domain.fees import FeeSchedule
    from gateway.domain.money import CurrencyCode, Money, currency_code
    from gateway.domain.payment import CaptureMethod, Payment, PaymentId, QuoteId
    from gateway.domain.payment_status import PaymentAction, PaymentStatus
    from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
    from gateway.domain.payout import Payout, PayoutId
    from gateway.domain.quote import Quote, SpreadRefund
    from gateway.domain.rate import CurrencyPair, ExchangeRate, Rate, rate_of
    from gateway.domain.refund import Refund, RefundId
    from gateway.domain.transaction import Transaction, TransactionId, TransactionType
    from gateway.domain.transfer import BalanceAfter, Transfer, TransferKind
    from gateway.domain.user import Role, User, UserId
    from gateway.domain.webhook_endpoint import DisabledReason, EndpointId, WebhookEndpoint
    from gateway.settings.field import SettingsRefused
    from gateway.settings.reader import read_settings
    from gateway.settings.values import Settings

__all__ = [
    "TRUSTED",
    "Access",
    "Account",
    "AccountFilter",
    "AccountId",
    "AccountKey",
    "AccountKind",
    "AccountStatus",
    "Accounts",
    "Attempt",
    "BalanceAfter",
    "Caller",
    "CancelPayment",
    "CaptureMethod",
    "CapturePayment",
    "ChangeWebhookEndpoint",
    "Command",
    "ConfirmPayment",
    "CreateWebhookEndpoint",
    "CurrencyCode",
    "CurrencyPair",
    "CurrencyTotals",
    "DeleteWebhookEndpoint",
    "Delivery",
    "DeliveryId",
    "DeliveryOutcome",
    "Deposit",
    "DepositId",
    "DisableWebhookEndpoint",
    "DisabledReason",
    "EndpointId",
    "EventFilter",
    "EventId",
    "EventQueries",
    "EventType",
    "Events",
    "ExchangeRate",
    "ExpirePayment",
    "FeeSchedule",
    "FeedEvent",
    "FieldError",
    "FoundEvents",
    "FreezeAccount",
    "Gateway",
    "GatewayApp",
    "GatewayClosed",
    "InvalidInput",
    "MakeDeposit",
    "MakePayout",
    "MakeQuote",
    "MemoryDatabase",
    "Money",
    "OpenAccount",
    "Page",
    "Pay",
    "Payment",
    "PaymentAction",
    "PaymentFilter",
    "PaymentId",
    "PaymentOrder",
    "PaymentRequest",
    "PaymentResult",
    "PaymentStatus",
    "Payout",
    "PayoutId",
    "Queries",
    "Quote",
    "QuoteId",
    "Quotes",
    "Rate",
    "Refund",
    "RefundId",
    "RefundPayment",
    "Refusal",
    "Register",
    "Registered",
    "Replay",
    "ReplayId",
    "RequestPayment",
    "ReverseTransaction",
    "Role",
    "RotateWebhookSecret",
    "SendTestEvent",
    "SentTestEvent",
    "SessionId",
    "SetFees",
    "Settings",
    "SettingsRefused",
    "SignedIn",
    "SpreadRefund",
    "StartRefused",
    "StorageReadOnly",
    "StorageRefused",
    "StorageUnavailable",
    "Subscription",
    "SyncGateway",
    "Transaction",
    "TransactionFilter",
    "TransactionId",
    "TransactionType",
    "Transfer",
    "TransferKind",
    "UnfreezeAccount",
    "User",
    "UserId",
    "WebhookDeliveries",
    "WebhookEndpoint",
    "Webhooks",
    "WrongEventLoop",
    "asgi",
    "collect_garbage_seldom",
    "currency_code",
    "in_memory_gateway",
    "open_gateway",
    "open_gateway_sync",
    "rate_of",
    "read_settings",
]

# A name is imported when it is first used: a program that uses only the domain loads no adapter, and the command line
# answers `--help` at once.
_NAMES = {
    "gateway.adapters.memory.database": ("MemoryDatabase",),
    "gateway.application.access.access": ("Access", "SignedIn"),
    "gateway.application.access.caller": ("TRUSTED", "Caller"),
    "gateway.application.accounts": ("Accounts",),
    "gateway.application.commands.cancel_payment": ("CancelPayment",),
    "gateway.application.commands.capture_payment": ("CapturePayment",),
    "gateway.application.commands.change_webhook_endpoint": ("ChangeWebhookEndpoint",),
    "gateway.application.commands.confirm_payment": ("ConfirmPayment",),
    "gateway.application.commands.create_webhook_endpoint": ("CreateWebhookEndpoint",),
    "gateway.application.commands.delete_webhook_endpoint": ("DeleteWebhookEndpoint",),
    "gateway.application.commands.deposit": ("MakeDeposit",),
    "gateway.application.commands.disable_webhook_endpoint": ("DisableWebhookEndpoint",),
    "gateway.application.commands.expire_payment": ("ExpirePayment",),
    "gateway.application.commands.freeze_account": ("FreezeAccount", "UnfreezeAccount"),
    "gateway.application.commands.make_quote": ("MakeQuote",),
    "gateway.application.commands.open_account": ("OpenAccount",),
    "gateway.application.commands.pay": ("Pay",),
    "gateway.application.commands.payout": ("MakePayout",),
    "gateway.application.commands.refund_payment": ("RefundPayment",),
    "gateway.application.commands.register": ("Register", "Registered"),
    "gateway.application.commands.request_payment": ("RequestPayment",),
    "gateway.application.commands.reverse_transaction": ("ReverseTransaction",),
    "gateway.application.commands.rotate_webhook_secret": ("RotateWebhookSecret",),
    "gateway.application.commands.send_test_event": ("SendTestEvent", "SentTestEvent"),
    "gateway.application.commands.set_fees": ("SetFees",),
    "gateway.application.commands.shared.payments": ("PaymentResult",),
    "gateway.application.engine.command": ("Command",),
    "gateway.application.engine.event_loop": ("WrongEventLoop",),
    "gateway.application.engine.loop_calls": ("GatewayClosed",),
    "gateway.application.events.event_queries": ("EventQueries",),
    "gateway.application.events.feed": ("Events",),
    "gateway.application.events.subscription": ("Subscription",),
    "gateway.application.gateway": ("Gateway",),
    "gateway.application.ports.delivery_records": (
        "Attempt",
        "Delivery",
        "DeliveryId",
        "DeliveryOutcome",
        "Replay",
        "ReplayId",
    ),
    "gateway.application.ports.events": ("EventFilter", "FeedEvent", "FoundEvents"),
    "gateway.application.ports.reader": ("AccountFilter", "CurrencyTotals", "PaymentFilter", "TransactionFilter"),
    "gateway.application.ports.sessions": ("SessionId",),
    "gateway.application.ports.unit_of_work": ("StorageReadOnly", "StorageRefused", "StorageUnavailable"),
    "gateway.application.queries": ("Page", "Queries"),
    "gateway.application.quotes": ("Quotes",),
    "gateway.application.sync_gateway": ("SyncGateway",),
    "gateway.application.webhook_deliveries": ("WebhookDeliveries",),
    "gateway.application.webhooks": ("Webhooks",),
    "gateway.bootstrap.garbage_collection": ("collect_garbage_seldom",),
    "gateway.bootstrap.refusal": ("StartRefused",),
    "gateway.bootstrap.serving": ("GatewayApp", "asgi"),
    "gateway.bootstrap.threads": ("open_gateway_sync",),
    "gateway.bootstrap.wiring": ("in_memory_gateway", "open_gateway"),
    "gateway.domain.account": ("Account", "AccountId", "AccountKey", "AccountKind", "AccountStatus"),
    "gateway.domain.deposit": ("Deposit", "DepositId"),
    "gateway.domain.errors": ("FieldError", "InvalidInput", "Refusal"),
    "gateway.domain.event": ("EventId",),
    "gateway.domain.event_type": ("EventType",),
    "gateway.domain.fees": ("FeeSchedule",),
    "gateway.domain.money": ("CurrencyCode", "Money", "currency_code"),
    "gateway.domain.payment": ("CaptureMethod", "Payment", "PaymentId", "QuoteId"),
    "gateway.domain.payment_status": ("PaymentAction", "PaymentStatus"),
    "gateway.domain.payment_terms": ("PaymentOrder", "PaymentRequest"),
    "gateway.domain.payout": ("Payout", "PayoutId"),
    "gateway.domain.quote": ("Quote", "SpreadRefund"),
    "gateway.domain.rate": ("CurrencyPair", "ExchangeRate", "Rate", "rate_of"),
    "gateway.domain.refund": ("Refund", "RefundId"),
    "gateway.domain.transaction": ("Transaction", "TransactionId", "TransactionType"),
    "gateway.domain.transfer": ("BalanceAfter", "Transfer", "TransferKind"),
    "gateway.domain.user": ("Role", "User", "UserId"),
    "gateway.domain.webhook_endpoint": ("DisabledReason", "EndpointId", "WebhookEndpoint"),
    "gateway.settings.field": ("SettingsRefused",),
    "gateway.settings.reader": ("read_settings",),
    "gateway.settings.values": ("Settings",),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
