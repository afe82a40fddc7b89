"""Old versions of TLS are offered nowhere, whatever Python's own default is."""

import ssl
from collections.abc import Callable
from typing import Any

import pytest

from gateway.adapters.nats.options import tls_context
from gateway.adapters.sql.postgres_connections import system_context
from gateway.adapters.webhooks.sender import trusted_authorities


@pytest.mark.parametrize(
    "context", [trusted_authorities, tls_context, lambda: system_context({})], ids=["webhooks", "NATS", "Postgres"]
)
def test_no_context_offers_old_versions_where_python_leaves_it_to_openssl(
    monkeypatch: pytest.MonkeyPatch, context: Callable[[], ssl.SSLContext]
) -> None:
    made_by_python = ssl.create_default_context

    def made_by_debian(**options: Any) -> ssl.SSLContext:
        made = made_by_python(**options)
        made.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        return made

    monkeypatch.setattr(ssl, "create_default_context", made_by_debian)
    assert context().minimum_version is ssl.TLSVersion.TLSv1_2
