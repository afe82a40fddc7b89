"""An async payment gateway in ports and adapters: what an embedding service imports."""

from typing import TYPE_CHECKING

from gateway.lazy_names import lazy_names
from gateway.public_names import EXTRAS, MODULES

if TYPE_CHECKING:
    from gateway.adapters.memory.database import MemoryDatabase
    from gateway.application.access.access import Access
    from gateway.application.access.caller import TRUSTED, Caller
    from gateway.application.access.signed_in import SignedIn
    from gateway.application.accounts import Accounts
    from gateway.application.api_keys import ApiKeys, KeyCommand, NewApiKey
    from gateway.application.audit_queries import AuditQueries
    from gateway.application.commands.accept_customer_invitation import AcceptCustomerInvitation
    from gateway.application.commands.accept_invitation import AcceptInvitation
    from gateway.application.commands.cancel_payment import CancelPayment
    from gateway.application.commands.capture_payment import CapturePayment
    from gateway.application.commands.change_customer import ChangeCustomer
    from gateway.application.commands.change_member import ChangeMember
    from gateway.application.commands.change_webhook_endpoint import ChangeWebhookEndpoint
    from gateway.application.commands.close_account import CloseAccount
    from gateway.application.commands.confirm_payment import ConfirmPayment
    from gateway.application.commands.create_api_key import CreateApiKey
    from gateway.application.commands.create_customer import CreateCustomer
    from gateway.application.commands.create_webhook_endpoint import CreateWebhookEndpoint
    from gateway.application.commands.delete_webhook_endpoint import DeleteWebhookEndpoint
    from gateway.application.commands.deposit import MakeDeposit
    from gateway.application.commands.disable_user import DisableUser, EnableUser
    from gateway.application.commands.disable_webhook_endpoint import DisableWebhookEndpoint
    from gateway.application.commands.end_sessions import EndSessions
    from gateway.application.commands.expire_payment import ExpirePayment
    from gateway.application.commands.freeze_account import FreezeAccount, UnfreezeAccount
    from gateway.application.commands.invite_customer import InviteCustomer
    from gateway.application.commands.invite_member import InviteMember
    from gateway.application.commands.make_quote import MakeQuote
    from gateway.application.commands.open_account import OpenAccount
    from gateway.application.commands.pay import ChargeCustomer, Pay
    from gateway.application.commands.payout import MakePayout
    from gateway.application.commands.refund_payment import RefundPayment
    from gateway.application.commands.register import Register, Registered
    from gateway.application.commands.remove_member import RemoveMember
    from gateway.application.commands.request_payment import RequestPayment
    from gateway.application.commands.reverse_transaction import ReverseTransaction
    from gateway.application.commands.review_payment import ApprovePayment, DeclinePayment
    from gateway.application.commands.revoke_api_key import RevokeApiKey
    from gateway.application.commands.rotate_api_key import RotateApiKey
    from gateway.application.commands.rotate_webhook_secret import RotateWebhookSecret
    from gateway.application.commands.send_test_event import SendTestEvent, SentTestEvent
    from gateway.application.commands.set_fees import SetFees
    from gateway.application.commands.shared.payments import PaymentResult
    from gateway.application.customers import CustomerInvitationCommand, Customers, NewCustomerInvitation
    from gateway.application.engine.command import Command
    from gateway.application.engine.event_loop import WrongEventLoop
    from gateway.application.engine.loop_calls import GatewayClosed
    from gateway.application.events.event_queries import EventQueries
    from gateway.application.events.feed import Events
    from gateway.application.events.subscription import Subscription
    from gateway.application.gateway import Gateway
    from gateway.application.members import Invitation, InvitationCommand, Members
    from gateway.application.ports.audit_log import AuditFilter
    from gateway.application.ports.customers import CustomerFilter
    from gateway.application.ports.delivery_records import (
        Attempt,
        Delivery,
        DeliveryId,
        DeliveryOutcome,
        Replay,
        ReplayId,
    )
    from gateway.application.ports.events import EventFilter, FeedEvent, FoundEvents
    from gateway.application.ports.members import MemberAtUse
    from gateway.application.ports.reader import AccountFilter, CurrencyTotals, PaymentFilter, TransactionFilter
    from gateway.application.ports.sessions import SessionId
    from gateway.application.ports.unit_of_work import StorageReadOnly, StorageRefused, StorageUnavailable
    from gateway.application.queries import Page, Queries
    from gateway.application.quotes import Quotes
    from gateway.application.recovery import Recovery
    from gateway.application.second_factors import NewSecondFactor, SecondFactorEnrolment
    from gateway.application.sync_gateway import SyncGateway
    from gateway.application.webhook_deliveries import WebhookDeliveries
    from gateway.application.webhooks import Webhooks
    from gateway.bootstrap.garbage_collection import collect_garbage_seldom
    from gateway.bootstrap.refusal import StartRefused
    from gateway.bootstrap.serving import GatewayApp, asgi
    from gateway.bootstrap.threads import open_gateway_sync
    from gateway.bootstrap.wiring import in_memory_gateway, open_gateway
    from gateway.domain.account import Account, AccountId, AccountKey, AccountKind, AccountStatus
    from gateway.domain.api_key import ApiKey, ApiKeyId
    from gateway.domain.audit import Actor, ActorKind, AuditAction, AuditId, AuditNote, AuditRecord, Origin
    from gateway.domain.customer import Customer, CustomerInvitation, CustomerWithAccounts, ExternalId
    from gateway.domain.deposit import Deposit, DepositId
    from gateway.domain.errors import FieldError, InvalidInput, Refusal
    from gateway.domain.event import EventId
    from gateway.domain.event_type import EventType
    from gateway.domain.fees import FeeSchedule
    from gateway.domain.member import Member, MemberId, MemberStatus
    from gateway.domain.member_role import MemberRole
    from gateway.domain.money import CurrencyCode, Money, currency_code
    from gateway.domain.payment import CaptureMethod, Payment, PaymentId, QuoteId
    from gateway.domain.payment_status import PaymentAction, PaymentStatus
    from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
    from gateway.domain.payout import Payout, PayoutId
    from gateway.domain.quote import Quote, SpreadRefund
    from gateway.domain.rate import CurrencyPair, ExchangeRate, Rate, rate_of
    from gateway.domain.refund import Refund, RefundId
    from gateway.domain.scope import Scope
    from gateway.domain.second_factor import SecondFactor
    from gateway.domain.transaction import Transaction, TransactionId, TransactionType
    from gateway.domain.transfer import BalanceAfter, Transfer, TransferKind
    from gateway.domain.user import Role, User, UserId, UserStatus
    from gateway.domain.user_with_accounts import UserWithAccounts
    from gateway.domain.webhook_endpoint import DisabledReason, EndpointId, WebhookEndpoint
    from gateway.settings.field import SettingsRefused
    from gateway.settings.reader import read_settings
    from gateway.settings.values import Settings

__all__ = [
    "TRUSTED",
    "AcceptCustomerInvitation",
    "AcceptInvitation",
    "Access",
    "Account",
    "AccountFilter",
    "AccountId",
    "AccountKey",
    "AccountKind",
    "AccountStatus",
    "Accounts",
    "Actor",
    "ActorKind",
    "ApiKey",
    "ApiKeyId",
    "ApiKeys",
    "ApprovePayment",
    "Attempt",
    "AuditAction",
    "AuditFilter",
    "AuditId",
    "AuditNote",
    "AuditQueries",
    "AuditRecord",
    "BalanceAfter",
    "Caller",
    "CancelPayment",
    "CaptureMethod",
    "CapturePayment",
    "ChangeCustomer",
    "ChangeMember",
    "ChangeWebhookEndpoint",
    "ChargeCustomer",
    "CloseAccount",
    "Command",
    "ConfirmPayment",
    "CreateApiKey",
    "CreateCustomer",
    "CreateWebhookEndpoint",
    "CurrencyCode",
    "CurrencyPair",
    "CurrencyTotals",
    "Customer",
    "CustomerFilter",
    "CustomerInvitation",
    "CustomerInvitationCommand",
    "CustomerWithAccounts",
    "Customers",
    "DeclinePayment",
    "DeleteWebhookEndpoint",
    "Delivery",
    "DeliveryId",
    "DeliveryOutcome",
    "Deposit",
    "DepositId",
    "DisableUser",
    "DisableWebhookEndpoint",
    "DisabledReason",
    "EnableUser",
    "EndSessions",
    "EndpointId",
    "EventFilter",
    "EventId",
    "EventQueries",
    "EventType",
    "Events",
    "ExchangeRate",
    "ExpirePayment",
    "ExternalId",
    "FeeSchedule",
    "FeedEvent",
    "FieldError",
    "FoundEvents",
    "FreezeAccount",
    "Gateway",
    "GatewayApp",
    "GatewayClosed",
    "InvalidInput",
    "Invitation",
    "InvitationCommand",
    "InviteCustomer",
    "InviteMember",
    "KeyCommand",
    "MakeDeposit",
    "MakePayout",
    "MakeQuote",
    "Member",
    "MemberAtUse",
    "MemberId",
    "MemberRole",
    "MemberStatus",
    "Members",
    "MemoryDatabase",
    "Money",
    "NewApiKey",
    "NewCustomerInvitation",
    "NewSecondFactor",
    "OpenAccount",
    "Origin",
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
    "Recovery",
    "Refund",
    "RefundId",
    "RefundPayment",
    "Refusal",
    "Register",
    "Registered",
    "RemoveMember",
    "Replay",
    "ReplayId",
    "RequestPayment",
    "ReverseTransaction",
    "RevokeApiKey",
    "Role",
    "RotateApiKey",
    "RotateWebhookSecret",
    "Scope",
    "SecondFactor",
    "SecondFactorEnrolment",
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
    "UserStatus",
    "UserWithAccounts",
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

__getattr__ = lazy_names(globals(), MODULES, EXTRAS)


def __dir__() -> list[str]:
    return __all__
