"""Accounts of customers and merchants whom another program knows: by its own ids, without passwords."""

from dataclasses import dataclass, field

from gateway.application.commands.open_account import OpenAccount
from gateway.application.commands.set_fees import SetFees
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.ports.reader import AccountFilter, Reader
from gateway.domain.account import Account, AccountKey, AccountKind, check_users_account
from gateway.domain.checks import check_type
from gateway.domain.errors import AccountExists
from gateway.domain.fees import FeeSchedule, check_fees
from gateway.domain.money import currency_code
from gateway.domain.user import UserId

_KINDS = len(AccountKind)
"""More accounts of one owner in one currency than there may be: an owner has one of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Opens accounts for owners whom the embedding program has named and authenticated itself.

    An id is the program's own: 1 … 64 characters. The same id may be a customer and a merchant, with an account for
    each. Nobody logs in with it: users with passwords are `gateway.access`.

    All refuse with `InvalidInput` what is no id, and with `UnknownCurrency` what is no currency. `StorageUnavailable`:
    the storage is away; the call may be repeated.
    """

    executor: CommandExecutor
    reader: Reader
    loop: OneEventLoop = field(default_factory=OneEventLoop, repr=False, compare=False)

    async def open_customer(self, customer_id: str, currency: str) -> Account:
        """The customer's account in a currency: found, or opened now. It may be called before every payment.

        Args:
            customer_id: The program's own id.
            currency: A code of ISO 4217.
        """
        self.loop.check()
        return await self._opened(AccountKind.CUSTOMER, customer_id, currency)

    async def open_merchant(self, merchant_id: str, currency: str, *, fees: FeeSchedule | None = None) -> Account:
        """The merchant's account in a currency: found, or opened now.

        Args:
            merchant_id: The program's own id.
            currency: A code of ISO 4217.
            fees: What the gateway keeps of captures from now on. `None` leaves the fees as they are: none at first.
                They are set in a transaction of their own; if this call is interrupted, call it again.
        """
        self.loop.check()
        if fees is not None:
            check_type("fees", fees, FeeSchedule)
            check_fees(fees)
        account = await self._opened(AccountKind.MERCHANT, merchant_id, currency)
        if fees is None or account.fees == fees:
            return account
        command = SetFees(merchant_id=account.owner_id, currency=account.currency, fees=fees)
        return await self.executor.execute(command, owner_id=account.owner_id)

    async def _opened(self, kind: AccountKind, owner_id: str, currency: str) -> Account:
        key = AccountKey(UserId(owner_id), currency_code(currency), kind)
        check_users_account(key)
        found = await self._found(key)
        if found is not None:
            return found
        try:
            return await self.executor.execute(OpenAccount(key=key), owner_id=key.owner_id)
        except AccountExists:
            # Another call has opened it since. Accounts are never deleted.
            found = await self._found(key)
            if found is None:
                raise
            return found

    async def _found(self, key: AccountKey) -> Account | None:
        where = AccountFilter(owner_id=key.owner_id, currency=key.currency)
        accounts = await self.reader.accounts(where, before=None, limit=_KINDS)
        return next((account for account in accounts if account.key == key), None)
