"""Requests are signed as Standard Webhooks says: two libraries that others wrote verify them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import standardwebhooks
import svix

from gateway.adapters.webhooks.request import retry_after_seconds, signed_request
from gateway.domain.webhook_url import parse_webhook_url
from support.receivers import ReceivedRequest, receiver
from support.webhook_messages import OTHER_SECRET, SECRET, message, sending

URL = parse_webhook_url("https://shop.example:8443/hooks?token=x")
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


async def _arrived(**values: object) -> ReceivedRequest:
    async with receiver() as found, sending() as sender:
        await sender.send(message(f"http://127.0.0.1:{found.port}/hooks?token=x", **values))
        return found.requests[0]


def test_the_known_answer() -> None:
    request = signed_request(
        message(
            "https://shop.example/",
            event_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
            secrets=("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",),
            body=b'{"test": 2432232314}',
            sent_at=datetime.fromtimestamp(1614265330, UTC),
        ),
        URL,
        user_agent="Test/1",
    )

    assert request == (
        b"POST /hooks?token=x HTTP/1.1\r\n"
        b"Host: shop.example:8443\r\n"
        b"User-Agent: Test/1\r\n"
        b"Accept: */*\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: 20\r\n"
        b"webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\n"
        b"webhook-timestamp: 1614265330\r\n"
        b"webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n"
        b"\r\n"
        b'{"test": 2432232314}'
    )


def test_a_time_zone_and_fractions_of_a_second_do_not_matter() -> None:
    times = (
        NOW,
        NOW.astimezone(timezone(timedelta(hours=5))),
        NOW + timedelta(microseconds=999_999),
    )

    assert len({signed_request(message("", sent_at=time), URL, user_agent="Test/1") for time in times}) == 1


BODIES = [b"{}", b'{"a":1}', '{"name":"Zoë 🎉"}'.encode(), b'{"big":"' + b"x" * 200_000 + b'"}']


@pytest.mark.parametrize("body", BODIES)
async def test_standardwebhooks_and_svix_verify_what_arrives(body: bytes) -> None:
    request = await _arrived(body=body)

    assert request.line == "POST /hooks?token=x HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("Gateway-Webhooks")
    assert request.body == body
    standardwebhooks.Webhook(SECRET).verify(request.body, request.headers)
    svix.Webhook(SECRET).verify(request.body, request.headers)


async def test_both_secrets_sign_after_a_rotation() -> None:
    request = await _arrived(secrets=(OTHER_SECRET, SECRET))

    assert len(request.headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, OTHER_SECRET):
        standardwebhooks.Webhook(secret).verify(request.body, request.headers)
        svix.Webhook(secret).verify(request.body, request.headers)


async def test_another_secret_body_or_id_does_not_verify() -> None:
    request = await _arrived()
    headers = request.headers

    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(OTHER_SECRET).verify(request.body, headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(SECRET).verify(request.body + b" ", headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(SECRET).verify(request.body, {**headers, "webhook-id": "evt_2"})


def test_secrets_and_bodies_are_not_shown() -> None:
    shown = repr(message("https://shop.example/?token=hunter2", body=b'{"email":"ada@example.com"}'))

    assert "evt_1" in shown
    assert not any(hidden in shown for hidden in (SECRET, "hunter2", "ada@"))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (b"", None),
        (b"0", 0),
        (b"120", 120),
        (b" 120 ", 120),
        (b"86400", 86_400),
        (b"86401", 86_400),
        (b"9" * 4_000, 86_400),
        (b"-1", None),
        (b"1.5", None),
        (b"soon", None),
        (b"1e3", None),
        ("１２".encode(), None),  # noqa: RUF001 - full-width digits.
        (b"\xb2", None),
        (b"Fri, 01 May 2026 12:01:00 GMT", 60),
        (b"Fri, 01 May 2026 12:01:00 -0000", 60),
        (b"Friday, 01-May-26 12:01:00 GMT", 60),
        (b"Fri May  1 12:01:00 2026", 60),
        (b"Fri, 01 May 2026 11:00:00 GMT", 0),
        (b"Fri, 01 May 2099 12:00:00 GMT", 86_400),
        (b"Fri, 99 May 2026 12:00:00 GMT", None),
        (b"Fri, 01 May 99999 12:00:00 GMT", None),
        (b"Fri, 01 May 2026 12:00:00 +9999999", None),
    ],
)
def test_retry_after(value: bytes | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, now=NOW) == seconds
