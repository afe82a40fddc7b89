"""Registering: addresses in all their spellings, passwords, currencies."""

from dataclasses import replace

import pytest

from gateway.application.access.access import Access
from gateway.application.errors import (
    InvalidInput,
)
from gateway.contracts.records import EUR
from gateway.domain.account import AccountKind
from gateway.domain.errors import EmailTaken, UnknownCurrency
from gateway.domain.user import Role
from support.access import PASSWORD, log_in
from support.builders import register

FORMS_OF_ONE_ADDRESS = (
    "jos\u00e9@b\u00fccher.example",
    "jose\u0301@bu\u0308cher.example",
    "JOS\u00c9@xn--bcher-kva.example",
)


async def test_who_registers_can_log_in(access: Access) -> None:
    registered = await access.register(
        email=" Grace@Example.COM ", password=PASSWORD, role=Role.MERCHANT, name="Grace", currency="EUR"
    )
    assert registered.user.email == "grace@example.com"
    [account] = registered.accounts
    assert (account.currency, account.kind) == (EUR, AccountKind.MERCHANT)
    signed_in = await log_in(access, "GRACE@example.com ")
    assert signed_in.user == registered.user
    caller = await access.authenticate(signed_in.access_token)
    assert (caller.user_id, caller.role) == (registered.user.id, Role.MERCHANT)
    assert await access.user(caller.user_id) == registered.user


async def test_an_address_registers_once_however_it_is_spelt(access: Access) -> None:
    with pytest.raises(EmailTaken):
        await access.register(email="ADA@example.com", password=PASSWORD, role=Role.CUSTOMER)


@pytest.mark.parametrize("form", FORMS_OF_ONE_ADDRESS, ids=ascii)
async def test_forms_of_one_address_are_one_user(access: Access, form: str) -> None:
    registered = await access.register(email=form, password=PASSWORD, role=Role.CUSTOMER)
    assert registered.user.email == FORMS_OF_ONE_ADDRESS[0]
    for other in FORMS_OF_ONE_ADDRESS:
        assert (await log_in(access, other)).user == registered.user
        with pytest.raises(EmailTaken):
            await access.register(email=other, password=PASSWORD, role=Role.CUSTOMER)


async def test_a_command_is_not_made_with_another_spelling_of_an_address() -> None:
    for email in ("Ada@example.com", FORMS_OF_ONE_ADDRESS[1], "ada@example.com,", "a\u200bda@example.com"):
        with pytest.raises(InvalidInput) as refused:
            replace(register(1), email=email)
        assert [(error.field, error.code) for error in refused.value.errors] == [("email", "email_invalid")]


@pytest.mark.parametrize(
    "email",
    ["", "ada", "ada@", "@example.com", "ada@example", "a da@example.com", "a@b@c.de", "a\0@b.de", "x" * 250 + "@b.de"],
)
async def test_what_is_no_address_does_not_register(access: Access, email: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await access.register(email=email, password=PASSWORD, role=Role.CUSTOMER)
    assert [error.field for error in refused.value.errors] == ["email"]


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("", "password_length"),
        ("7 chars", "password_length"),
        ("x" * 129, "password_length"),
        ("password", "password_common"),
        ("PassWord", "password_common"),
        ("12345678", "password_common"),
        ("qwertyuiop", "password_common"),
    ],
)
async def test_a_password_that_is_short_long_or_common_is_refused(access: Access, password: str, code: str) -> None:
    caller = await access.authenticate((await log_in(access)).access_token)
    for attempt, field in (
        (access.register(email="new@example.com", password=password, role=Role.CUSTOMER), "password"),
        (access.change_password(caller, current=PASSWORD, new=password), "new"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await attempt
        assert [(error.field, error.code) for error in refused.value.errors] == [(field, code)]
    await log_in(access)


@pytest.mark.parametrize("password", ["8 chars!", "x y" * 42 + "zz", "пароль из слов", "🔑🔒🔓🗝️🛡️⚔️"])
async def test_any_other_password_will_do(access: Access, password: str) -> None:
    await access.register(email="new@example.com", password=password, role=Role.CUSTOMER)
    await log_in(access, "new@example.com", password)


async def test_a_currency_that_does_not_exist_does_not_register(access: Access) -> None:
    with pytest.raises(UnknownCurrency):
        await access.register(email="new@example.com", password=PASSWORD, role=Role.CUSTOMER, currency="XXX")
