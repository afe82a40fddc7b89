"""A first API key: a customer and a merchant of a new sandbox, and a key to try it with."""

import secrets
from typing import Final

from gateway.application.gateway import Gateway
from gateway.domain.errors import EmailTaken
from gateway.domain.immutable import immutable
from gateway.domain.scope import SCOPES_OF_ROLE
from gateway.domain.user import Role

CUSTOMER_EMAIL: Final = "customer@sandbox.example"
MERCHANT_EMAIL: Final = "merchant@sandbox.example"


@immutable
class FirstKey:
    """What a newcomer pastes: the key, the account of its owner, and a merchant."""

    text: str
    account_id: str
    merchant_id: str

    @property
    def assignments(self) -> str:
        """As variables of a shell."""
        return f"K={self.text} A={self.account_id} M={self.merchant_id}"


async def first_key(gateway: Gateway) -> FirstKey | None:
    """Make the users and the key. `None` if an earlier start has: the key was shown then, and is not stored.

    Nobody can log in as these users: their passwords are drawn at random.
    """
    register = gateway.access.register
    try:
        customer = await register(email=CUSTOMER_EMAIL, password=secrets.token_hex(), role=Role.CUSTOMER)
        merchant = await register(email=MERCHANT_EMAIL, password=secrets.token_hex(), role=Role.MERCHANT)
    except EmailTaken:
        return None
    scopes = sorted(SCOPES_OF_ROLE[Role.CUSTOMER])
    new = await gateway.api_keys.create(owner_id=customer.user.id, name="First key of the sandbox", scopes=scopes)
    return FirstKey(text=new.text, account_id=customer.accounts[0].id, merchant_id=merchant.user.id)
