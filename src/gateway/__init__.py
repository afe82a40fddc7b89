"""An async payment gateway in ports and adapters: what an embedding service imports."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.application.access.caller import Caller
    from gateway.application.access.signed_in import SignedIn
    from gateway.application.audit_queries import AuditQueries
    from gateway.application.commands.cancel_payment import CancelPayment
    from gateway.application.commands.capture_payment import CapturePayment
    from gateway.application.commands.change_webhook_endpoint import ChangeWebhookEndpoint
    from gateway.application.commands.close_account import CloseAccount
    from gateway.application.commands.confirm_payment import ConfirmPayment
    from gateway.application.commands.create_webhook_endpoint import CreateWebhookEndpoint
    from gateway.application.commands.delete_webhook_endpoint import DeleteWebhookEndpoint
    from gateway.application.commands.deposit import MakeDeposit
    from gateway.application.commands.disable_user import DisableUser, EnableUser
    from gateway.application.commands.disable_webhook_endpoint import DisableWebhookEndpoint
    from gateway.application.commands.end_sessions import EndSessions
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
    from gateway.application.engine.event_loop import WrongEventLoop
    from gateway.application.events.feed import Events
    from gateway.application.gateway import Gateway
    from gateway.application.ports.audit_log import AuditFilter
    from gateway.application.ports.delivery_records import Attempt, Delivery, DeliveryOutcome
    from gateway.application.ports.events import FeedEvent
    from gateway.application.ports.unit_of_work import StorageRefused, StorageUnavailable
    from gateway.application.quotes import Quotes
    from gateway.application.webhook_deliveries import WebhookDeliveries
    from gateway.application.webhooks import Webhooks
    from gateway.bootstrap.garbage_collection import collect_garbage_seldom
    from gateway.bootstrap.refusal import StartRefused
    from gateway.bootstrap.wiring import in_memory_gateway, open_gateway
    from gateway.domain.account import Account, AccountId, AccountKey, AccountKind, AccountStatus
    from gateway.domain.audit import Actor, ActorKind, AuditAction, AuditNote, AuditRecord, Origin
    from gateway.domain.deposit import Deposit
    from gateway.domain.errors import FieldError, InvalidInput, Refusal
    from gateway.domain.event_type import EventType
    from gateway.domain.fees import FeeSchedule
    from gateway.domain.money import CurrencyCode, Money, currency_code
    from gateway.domain.payment import CaptureMethod, Payment, PaymentId, QuoteId
    from gateway.domain.payment_status import PaymentStatus
    from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
    from gateway.domain.payout import Payout
    from gateway.domain.quote import Quote
    from gateway.domain.rate import CurrencyPair, ExchangeRate, Rate, rate_of
    from gateway.domain.refund import Refund
    from gateway.domain.transaction import Transaction, TransactionId
    from gateway.domain.user import Role, User, UserId, UserStatus
    from gateway.domain.user_with_accounts import UserWithAccounts
    from gateway.domain.webhook_endpoint import DisabledReason, EndpointId, WebhookEndpoint
    from gateway.settings.field import SettingsRefused
    from gateway.settings.reader import read_settings
    from gateway.settings.values import Settings

__all__ = [
    "Account",
    "AccountId",
    "AccountKey",
    "AccountKind",
    "AccountStatus",
    "Actor",
    "ActorKind",
    "Attempt",
    "AuditAction",
    "AuditFilter",
    "AuditNote",
    "AuditQueries",
    "AuditRecord",
    "Caller",
    "CancelPayment",
    "CaptureMethod",
    "CapturePayment",
    "ChangeWebhookEndpoint",
    "CloseAccount",
    "ConfirmPayment",
    "CreateWebhookEndpoint",
    "CurrencyCode",
    "CurrencyPair",
    "DeleteWebhookEndpoint",
    "Delivery",
    "DeliveryOutcome",
    "Deposit",
    "DisableUser",
    "DisableWebhookEndpoint",
    "DisabledReason",
    "EnableUser",
    "EndSessions",
    "EndpointId",
    "EventType",
    "Events",
    "ExchangeRate",
    "ExpirePayment",
    "FeeSchedule",
    "FeedEvent",
    "FieldError",
    "FreezeAccount",
    "Gateway",
    "InvalidInput",
    "MakeDeposit",
    "MakePayout",
    "MakeQuote",
    "Money",
    "OpenAccount",
    "Origin",
    "Pay",
    "Payment",
    "PaymentId",
    "PaymentOrder",
    "PaymentRequest",
    "PaymentResult",
    "PaymentStatus",
    "Payout",
    "Quote",
    "QuoteId",
    "Quotes",
    "Rate",
    "Refund",
    "RefundPayment",
    "Refusal",
    "Register",
    "Registered",
    "RequestPayment",
    "ReverseTransaction",
    "Role",
    "RotateWebhookSecret",
    "SendTestEvent",
    "SentTestEvent",
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
    "UserStatus",
    "UserWithAccounts",
    "WebhookDeliveries",
    "WebhookEndpoint",
    "Webhooks",
    "WrongEventLoop",
    "collect_garbage_seldom",
    "currency_code",
    "in_memory_gateway",
    "open_gateway",
    "rate_of",
    "read_settings",
]

# A name is imported when it is first used: a program that uses only the domain loads no adapter, and the command line
# answers `--help` at once.
_NAMES = {
    "gateway.application.access.caller": ("Caller",),
    "gateway.application.access.signed_in": ("SignedIn",),
    "gateway.application.audit_queries": ("AuditQueries",),
    "gateway.application.commands.cancel_payment": ("CancelPayment",),
    "gateway.application.commands.capture_payment": ("CapturePayment",),
    "gateway.application.commands.change_webhook_endpoint": ("ChangeWebhookEndpoint",),
    "gateway.application.commands.close_account": ("CloseAccount",),
    "gateway.application.commands.confirm_payment": ("ConfirmPayment",),
    "gateway.application.commands.create_webhook_endpoint": ("CreateWebhookEndpoint",),
    "gateway.application.commands.delete_webhook_endpoint": ("DeleteWebhookEndpoint",),
    "gateway.application.commands.deposit": ("MakeDeposit",),
    "gateway.application.commands.disable_user": ("DisableUser", "EnableUser"),
    "gateway.application.commands.disable_webhook_endpoint": ("DisableWebhookEndpoint",),
    "gateway.application.commands.end_sessions": ("EndSessions",),
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
    "gateway.application.engine.event_loop": ("WrongEventLoop",),
    "gateway.application.events.feed": ("Events",),
    "gateway.application.gateway": ("Gateway",),
    "gateway.application.ports.audit_log": ("AuditFilter",),
    "gateway.application.ports.delivery_records": ("Attempt", "Delivery", "DeliveryOutcome"),
    "gateway.application.ports.events": ("FeedEvent",),
    "gateway.application.ports.unit_of_work": ("StorageRefused", "StorageUnavailable"),
    "gateway.application.quotes": ("Quotes",),
    "gateway.application.webhook_deliveries": ("WebhookDeliveries",),
    "gateway.application.webhooks": ("Webhooks",),
    "gateway.bootstrap.garbage_collection": ("collect_garbage_seldom",),
    "gateway.bootstrap.refusal": ("StartRefused",),
    "gateway.bootstrap.wiring": ("in_memory_gateway", "open_gateway"),
    "gateway.domain.account": ("Account", "AccountId", "AccountKey", "AccountKind", "AccountStatus"),
    "gateway.domain.audit": ("Actor", "ActorKind", "AuditAction", "AuditNote", "AuditRecord", "Origin"),
    "gateway.domain.deposit": ("Deposit",),
    "gateway.domain.errors": ("FieldError", "InvalidInput", "Refusal"),
    "gateway.domain.event_type": ("EventType",),
    "gateway.domain.fees": ("FeeSchedule",),
    "gateway.domain.money": ("CurrencyCode", "Money", "currency_code"),
    "gateway.domain.payment": ("CaptureMethod", "Payment", "PaymentId", "QuoteId"),
    "gateway.domain.payment_status": ("PaymentStatus",),
    "gateway.domain.payment_terms": ("PaymentOrder", "PaymentRequest"),
    "gateway.domain.payout": ("Payout",),
    "gateway.domain.quote": ("Quote",),
    "gateway.domain.rate": ("CurrencyPair", "ExchangeRate", "Rate", "rate_of"),
    "gateway.domain.refund": ("Refund",),
    "gateway.domain.transaction": ("Transaction", "TransactionId"),
    "gateway.domain.user": ("Role", "User", "UserId", "UserStatus"),
    "gateway.domain.user_with_accounts": ("UserWithAccounts",),
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
