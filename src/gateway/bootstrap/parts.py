"""The parts of a gateway, and the gateway that is put together from them."""

from dataclasses import field
from datetime import timedelta

from gateway.application.access.access import Access
from gateway.application.access.api_key_format import ApiKeyFormat
from gateway.application.access.limits import AccessLimits
from gateway.application.accounts import Accounts
from gateway.application.api_keys import ApiKeys
from gateway.application.audit_ids import audit_ids
from gateway.application.audit_queries import AuditQueries
from gateway.application.customers import Customers
from gateway.application.engine.batch import Batch
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import Executor
from gateway.application.engine.host_transactions import HostTransactions
from gateway.application.engine.loop_calls import LoopCalls
from gateway.application.engine.risk import Risk
from gateway.application.events.commit_signal import CommitSignal
from gateway.application.events.event_queries import EventQueries
from gateway.application.events.feed import Events
from gateway.application.events.hub import EventHub, StreamLimits
from gateway.application.gateway import Gateway
from gateway.application.members import Members
from gateway.application.ports.clock import Clock
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.passwords import PasswordHasher
from gateway.application.ports.rates import Rates
from gateway.application.ports.second_factors import TimeCodes
from gateway.application.ports.storage import Storage
from gateway.application.ports.tokens import AccessTokens
from gateway.application.ports.webhook_sender import WebhookSender
from gateway.application.queries import Queries
from gateway.application.quotes import QuoteLimits, Quotes
from gateway.application.rate_limits.rate_limits import NO_RATE_LIMITS, RateLimits
from gateway.application.recovery import Recovery
from gateway.application.second_factors import SecondFactorEnrolment
from gateway.application.webhook_deliveries import WebhookDeliveries
from gateway.application.webhooks import Webhooks
from gateway.bootstrap.on_demand import TimeCodesOnDemand
from gateway.domain.immutable import immutable


@immutable
class Parts:
    """The adapters and limits that a gateway is made of."""

    storage: Storage
    rates: Rates
    passwords: PasswordHasher
    tokens: AccessTokens
    webhook_sender: WebhookSender
    clock: Clock
    identifiers: Identifiers
    access_limits: AccessLimits
    quote_limits: QuoteLimits
    stream_limits: StreamLimits
    event_retention: timedelta
    time_codes: TimeCodes = field(default_factory=TimeCodesOnDemand)
    key_format: ApiKeyFormat = field(default_factory=ApiKeyFormat)
    rate_limits: RateLimits = NO_RATE_LIMITS
    risk: Risk | None = None
    opened_with: object = None
    commits: CommitSignal = field(default_factory=CommitSignal)

    def batch(self) -> Batch:
        """What runs a batch of submissions, once."""
        return Batch(
            unit_of_work=self.storage.unit_of_work,
            clock=self.clock,
            identifiers=self.identifiers,
            committed=self.commits.notify,
            risk=self.risk,
        )

    def host_transactions(self) -> HostTransactions:
        """What answers commands in transactions of the embedding program."""
        return HostTransactions(
            unit_of_work_in=self.storage.unit_of_work_in,
            clock=self.clock,
            identifiers=self.identifiers,
            risk=self.risk,
        )

    def gateway(self, submissions: Executor, calls: LoopCalls | None = None) -> Gateway:
        """The gateway that executes its commands with this executor, and the calls of its threads with these."""
        executor = CommandExecutor(submissions, self.identifiers, self.host_transactions())
        event_queries = EventQueries(self.storage.events, self.clock, self.event_retention)
        access = self._access(executor)
        return Gateway(
            executor=executor,
            access=access,
            api_keys=ApiKeys(access),
            customers=Customers(access=access, stored=self.storage.customers),
            second_factors=SecondFactorEnrolment(access),
            members=Members(access, self.storage.members),
            recovery=Recovery(access, self.storage.customers),
            accounts=Accounts(executor=executor, reader=self.storage.reader),
            queries=Queries(self.storage.reader, self.clock),
            quotes=Quotes(executor=executor, rates=self.rates, clock=self.clock, limits=self.quote_limits),
            events=Events(self.storage.events, self.commits),
            deliveries=WebhookDeliveries(
                stored=self.storage.deliveries,
                endpoints=self.storage.webhook_endpoints,
                feed=self.storage.events,
                clock=self.clock,
                identifiers=self.identifiers,
                retention=self.event_retention,
            ),
            webhooks=Webhooks(
                executor=executor,
                stored=self.storage.webhook_endpoints,
                feed=self.storage.events,
                sender=self.webhook_sender,
            ),
            event_queries=event_queries,
            event_hub=EventHub(event_queries, self.commits, self.stream_limits),
            tokens=self.tokens,
            storage=self.storage,
            audit=AuditQueries(self.storage.audit_log, executor, self.clock, audit_ids(self.storage)),
            rate_limits=self.rate_limits,
            opened_with=self.opened_with,
            _calls=calls,
        )

    def _access(self, executor: CommandExecutor) -> Access:
        return Access(
            executor=executor,
            users=self.storage.users,
            sessions=self.storage.sessions,
            api_keys=self.storage.api_keys,
            second_factors=self.storage.second_factors,
            members=self.storage.members,
            login_failures=self.storage.login_failures,
            audit_log=self.storage.audit_log,
            passwords=self.passwords,
            tokens=self.tokens,
            time_codes=self.time_codes,
            clock=self.clock,
            identifiers=self.identifiers,
            limits=self.access_limits,
            key_format=self.key_format,
        )
