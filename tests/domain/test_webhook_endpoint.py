"""Webhook endpoints: what they may be, which events they want, and which secrets sign."""

import base64
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.contracts.records import NOW, a_webhook_endpoint, a_webhook_secret, endpoint_id, user_id
from gateway.domain.errors import InvalidInput
from gateway.domain.event_type import EventType
from gateway.domain.user import SYSTEM
from gateway.domain.webhook_endpoint import DisabledReason, WebhookEndpoint, must_be_enabled, must_be_owned
from gateway.domain.webhook_errors import WebhookEndpointDisabled, WebhookEndpointNotFound
from gateway.domain.webhook_fields import EVENT_FILTERS, check_event_filters, check_secret, check_url

LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "https://shop.example/",
        "https://shop.example:8443/webhooks?shop=7&x=%20",
        "http://localhost:9000/hooks",
        "https://192.0.2.7/",
        "https://[2001:db8::1]:8443/a",
        "https://xn--bcher-kva.example/",
        "https://shop.example/" + "x" * (2_048 - 21),
    ],
)
def test_a_url_has_a_scheme_and_a_host(url: str) -> None:
    check_url(url)
    assert replace(a_webhook_endpoint(), url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "shop.example",
        "//shop.example/",
        "/webhooks",
        "ftp://shop.example/",
        "javascript:alert(1)",
        "https:///webhooks",
        "https://",
        "https://:443/",
        "https://user@shop.example/",
        "https://user:secret@shop.example/",
        "https://shop.example/#part",
        "https://shop.example:0/",
        "https://shop.example:65536/",
        "https://shop.example:x/",
        "https://shop.example/a b",
        "https://shop.example/\n",
        "https://shop.example\\@evil.example/",
        "https://bücher.example/",
        "https://shop.example/é",
        "https://shop%2eexample/",
        "https://[::1/",
        "https://[::g]/",
        "https://[fe80::1%25eth0]/",
        " https://shop.example/",
    ],
)
def test_everything_else_is_no_url(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_url(url)
    assert [(error.field, error.code) for error in refused.value.errors] == [("url", "url_invalid")]


def test_a_url_has_at_most_2048_characters() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_url("https://shop.example/" + "x" * (2_049 - 21))
    assert [error.code for error in refused.value.errors] == ["value_invalid"]


@pytest.mark.parametrize("filters", [("*",), ("payment.*",), ("payment.captured", "refund.succeeded", "endpoint.*")])
def test_filters_are_types_of_events_or_kinds_of_types_or_everything(filters: tuple[str, ...]) -> None:
    check_event_filters(filters)


@pytest.mark.parametrize(
    ("filters", "code"),
    [
        ((), "value_invalid"),
        (("payment.*", "payment.*"), "value_invalid"),
        (("payment",), "value_invalid"),
        (("payment.cap*",), "value_invalid"),
        (("*.captured",), "value_invalid"),
        (("Payment.captured",), "value_invalid"),
        (("payment.captured\n",), "value_invalid"),
        (("x" * 65,), "value_invalid"),
        (("",), "value_invalid"),
        ((7,), "type_mismatch"),
        (["payment.*"], "type_mismatch"),
        ("payment.*", "type_mismatch"),
        (("payment.paid",), "event_type_unknown"),
        (("order.*",), "event_type_unknown"),
    ],
)
def test_other_filters_are_refused(filters: Any, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_event_filters(filters)
    assert [(error.field, error.code) for error in refused.value.errors] == [("events", code)]


def test_there_are_at_most_32_filters() -> None:
    many = tuple(sorted(EVENT_FILTERS))[:32]
    with pytest.raises(InvalidInput):
        check_event_filters((*many[:31], "a.b", "c.d"))
    assert len(replace(a_webhook_endpoint(), events=tuple(f"kind.type_{'x' * n}" for n in range(32))).events) == 32


def test_an_endpoint_may_name_a_type_that_only_a_newer_version_knows() -> None:
    endpoint = replace(a_webhook_endpoint(), events=("payment.disputed", "payment.captured"))
    assert endpoint.wants(EventType.PAYMENT_CAPTURED, "pay_1", endpoint.owner_id)


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_is_24_to_64_bytes_in_base64(size: int) -> None:
    check_secret("whsec_" + base64.b64encode(bytes(size)).decode())


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        base64.b64encode(bytes(32)).decode(),
        "WHSEC_" + base64.b64encode(bytes(32)).decode(),
        "whsec_" + base64.b64encode(bytes(32)).decode().rstrip("="),
        "whsec_" + base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        "whsec_" + base64.b64encode(bytes(32)).decode()[:-2] + "B=",
        "whsec_" + base64.b64encode(bytes(32)).decode() + "\n",
        "whsec_é" + base64.b64encode(bytes(32)).decode(),
    ],
)
def test_everything_else_is_no_secret_and_is_not_repeated(secret: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_secret(secret)
    assert [(error.field, error.code) for error in refused.value.errors] == [("secret", "value_invalid")]
    assert len(secret) < 10 or secret not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("id", ""),
        ("owner_id", None),
        ("all_merchants", 1),
        ("url", "ftp://shop.example"),
        ("events", ()),
        ("description", ""),
        ("description", "x" * 501),
        ("description", "card 4111 1111 1111 1111"),
        ("disabled_reason", "failing"),
        ("secret", "whsec_"),
        ("previous_secret", a_webhook_secret(2)),
        ("previous_secret_expires_at", NOW),
        ("sequence", -1),
        ("created_at", NOW.replace(tzinfo=None)),
        ("updated_at", None),
    ],
)
def test_an_endpoint_is_valid_or_cannot_be_made(name: str, given: Any) -> None:
    with pytest.raises(InvalidInput):
        replace(a_webhook_endpoint(), **{name: given})


def test_neither_secrets_nor_the_url_stand_in_the_representation() -> None:
    endpoint = a_webhook_endpoint().rotate(a_webhook_secret(2), now=NOW)
    assert "whsec_" not in repr(endpoint)
    assert endpoint.url not in repr(endpoint)
    assert {each.name for each in fields(WebhookEndpoint) if not each.repr} == {"url", "secret", "previous_secret"}


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (("*",), {"payment.captured", "refund.succeeded", "account.opened"}),
        (("payment.*",), {"payment.captured"}),
        (("payment.captured", "account.*"), {"payment.captured", "account.opened"}),
        (("payment.created",), set[str]()),
    ],
)
def test_an_endpoint_wants_the_events_that_its_filters_select(filters: tuple[str, ...], wanted: set[str]) -> None:
    endpoint = a_webhook_endpoint(events=filters)
    kinds = [EventType.PAYMENT_CAPTURED, EventType.REFUND_SUCCEEDED, EventType.ACCOUNT_OPENED]
    assert {kind.value for kind in kinds if endpoint.wants(kind, "pay_1", endpoint.owner_id)} == wanted


def test_an_endpoint_wants_the_events_of_its_owner_alone() -> None:
    endpoint = a_webhook_endpoint(events=("*",), owner=2)
    assert endpoint.wants(EventType.PAYMENT_CAPTURED, "pay_1", user_id(2))
    assert not endpoint.wants(EventType.PAYMENT_CAPTURED, "pay_1", user_id(3))
    assert not endpoint.wants(EventType.PAYMENT_CAPTURED, "pay_1", None)


def test_an_endpoint_for_all_merchants_wants_the_events_of_everybody() -> None:
    endpoint = a_webhook_endpoint(events=("account.*",), owner_id=SYSTEM, all_merchants=True)
    assert endpoint.wants(EventType.ACCOUNT_OPENED, "acc_1", user_id(3))
    assert endpoint.wants(EventType.ACCOUNT_OPENED, "acc_1", None)
    assert not endpoint.wants(EventType.PAYMENT_CAPTURED, "pay_1", user_id(3))


def test_a_disabled_endpoint_wants_nothing_and_not_even_a_test() -> None:
    endpoint = a_webhook_endpoint(events=("*",)).disable(DisabledReason.BY_OWNER, now=LATER)
    assert not endpoint.wants(EventType.PAYMENT_CAPTURED, "pay_1", endpoint.owner_id)
    assert not endpoint.wants(EventType.ENDPOINT_TEST, endpoint.id, endpoint.owner_id)


@pytest.mark.parametrize("filters", [("*",), ("account.opened",), ("endpoint.test",)])
def test_a_test_goes_to_the_endpoint_that_it_is_about_whatever_the_filters(filters: tuple[str, ...]) -> None:
    endpoint = a_webhook_endpoint(1, events=filters)
    assert endpoint.wants(EventType.ENDPOINT_TEST, endpoint.id, endpoint.owner_id)
    assert not endpoint.wants(EventType.ENDPOINT_TEST, endpoint_id(2), endpoint.owner_id)


def test_the_previous_secret_signs_for_24_hours_to_the_microsecond() -> None:
    first, second = a_webhook_secret(1), a_webhook_secret(2)
    endpoint = a_webhook_endpoint(secret=first)
    assert endpoint.signing_secrets(NOW) == (first,)
    rotated = endpoint.rotate(second, now=NOW)
    end = NOW + timedelta(hours=24)
    assert rotated.signing_secrets(NOW) == (second, first)
    assert rotated.signing_secrets(end - timedelta.resolution) == (second, first)
    assert rotated.signing_secrets(end) == (second,)


def test_of_two_rotations_within_a_day_the_oldest_secret_no_longer_signs() -> None:
    secrets = [a_webhook_secret(number) for number in (1, 2, 3)]
    endpoint = a_webhook_endpoint(secret=secrets[0]).rotate(secrets[1], now=NOW).rotate(secrets[2], now=LATER)
    assert endpoint.signing_secrets(LATER) == (secrets[2], secrets[1])
    assert endpoint.previous_secret_expires_at == LATER + timedelta(hours=24)


def test_a_change_keeps_what_is_not_given_and_an_empty_description_clears_it() -> None:
    endpoint = a_webhook_endpoint(description="orders")
    changed = endpoint.change(url="https://other.example/", events=None, description="", now=LATER)
    assert (changed.url, changed.events, changed.description) == ("https://other.example/", endpoint.events, None)
    assert changed.updated_at == LATER
    assert endpoint.change(url=endpoint.url, events=endpoint.events, description="orders", now=LATER) is endpoint


def test_a_disabled_endpoint_keeps_its_first_reason_until_it_is_enabled() -> None:
    gone = a_webhook_endpoint().disable(DisabledReason.GONE, now=LATER)
    assert gone.disable(DisabledReason.BY_OWNER, now=LATER) is gone
    enabled = gone.enable(now=LATER)
    assert enabled.enabled
    assert enabled.enable(now=NOW) is enabled


def test_somebody_elses_endpoint_is_none() -> None:
    endpoint = a_webhook_endpoint(owner=2)
    must_be_owned(endpoint, user_id(2))
    must_be_owned(endpoint, None)
    with pytest.raises(WebhookEndpointNotFound):
        must_be_owned(endpoint, user_id(3))


def test_nothing_is_sent_to_a_disabled_endpoint() -> None:
    must_be_enabled(a_webhook_endpoint())
    with pytest.raises(WebhookEndpointDisabled) as refused:
        must_be_enabled(a_webhook_endpoint(disabled_reason=DisabledReason.FAILING))
    assert refused.value.facts == {"disabled_reason": "failing"}
