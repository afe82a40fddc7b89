"""One connection string, three ways in: the pool of units of work, the engine of everything else, and migrations."""

import asyncio
import shutil
import socket
import ssl
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import text

from gateway.adapters.sql import Schema, SqlLimits, migrate, open_sql_storage, schema_of
from gateway.adapters.sql.asyncpg_transaction import AsyncpgTransaction
from gateway.adapters.sql.connection_parameters import ConnectionStringRefused
from gateway.adapters.sql.engine import audit_engine, check_url, postgres_engine
from gateway.adapters.sql.postgres_connections import KEEPALIVES
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.write_pool import open_write_pool
from gateway.application.ports.unit_of_work import StorageUnavailable
from support.builders import a_batch, opened, pay, submit, usd
from support.migrations import execute
from support.proxies import proxied
from support.servers import free_port

WHO = text("SELECT current_setting('application_name'), current_setting('search_path')")
NAMED_STATEMENTS = text("SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql")
SETTINGS = text(
    "SELECT current_setting('lock_timeout'), current_setting('timezone'), current_setting('application_name')"
)
ALONE = SqlLimits(write_pool_size=1, pool_size=1)


async def everywhere(url: str, statement: Any) -> list[tuple[Any, ...]]:
    """What a statement says on a connection of each way in."""
    found = []
    for engine in (postgres_engine(url, ALONE), audit_engine(url, ALONE)):
        async with DatabaseTransaction(engine) as transaction:
            found += [tuple(row) for row in await transaction.rows(statement)]
        await engine.dispose()
    async with open_write_pool(url, ALONE) as pool, AsyncpgTransaction(pool, acquire_seconds_max=2) as transaction:
        found += [tuple(row) for row in await transaction.rows(statement)]
    return found


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg2"])
async def test_every_name_of_the_scheme_works_for_all_ways_in(postgres_url: str, scheme: str) -> None:
    url = postgres_url.replace("postgresql", scheme, 1)
    await migrate(url)
    assert await schema_of(url) is Schema.CURRENT
    assert len(await everywhere(url, WHO)) == 3
    async with open_sql_storage(url) as storage:
        await storage.reader.check()


async def test_what_hosting_services_add_works_for_all_ways_in(postgres_url: str) -> None:
    url = (
        f"{postgres_url}?sslmode=prefer&channel_binding=prefer&connect_timeout=10&application_name=shop"
        "&options=-c%20search_path%3Dpublic,elsewhere&target_session_attrs=read-write&keepalives_idle=5"
    )
    assert await everywhere(url, WHO) == [("shop", "public,elsewhere")] * 3


async def test_the_gateways_own_settings_win_over_options(postgres_url: str) -> None:
    url = f"{postgres_url}?options=-c%20synchronous_commit%3Doff"
    assert await everywhere(url, text("SHOW synchronous_commit")) == [("on",)] * 3


async def test_a_host_that_is_away_leaves_the_others(postgres_url: str) -> None:
    parts = urlsplit(postgres_url)
    credentials, _, host = parts.netloc.rpartition("@")
    url = parts._replace(netloc=f"{credentials}@127.0.0.1:{free_port()},{host}").geturl()
    assert len(await everywhere(url, WHO)) == 3


async def test_a_host_that_is_silent_is_tried_for_its_share_of_the_time_and_last_from_then_on(
    postgres_url: str,
) -> None:
    async with proxied(postgres_url) as silent:
        silent.accept_after_seconds = 600
        parts = urlsplit(postgres_url)
        credentials, _, host = parts.netloc.rpartition("@")
        url = parts._replace(netloc=f"{credentials}@127.0.0.1:{silent.port},{host}").geturl()
        engine = postgres_engine(url, SqlLimits(connect_timeout_seconds=2))
        async with DatabaseTransaction(engine) as first, asyncio.timeout(5):
            await first.rows(WHO)
            async with DatabaseTransaction(engine) as second:
                await second.rows(WHO)
        await engine.dispose()
        assert silent.connections == 1


async def test_only_a_host_with_the_wanted_part_is_used(postgres_url: str) -> None:
    assert len(await everywhere(f"{postgres_url}?target_session_attrs=primary", WHO)) == 3
    assert len(await everywhere(f"{postgres_url}?target_session_attrs=prefer-standby", WHO)) == 3
    async with open_sql_storage(f"{postgres_url}?target_session_attrs=standby") as storage:
        with pytest.raises(StorageUnavailable):
            await storage.reader.check()


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """A folder with a short name: the path of a Unix socket has 107 characters at most."""
    folder = Path(tempfile.mkdtemp(prefix="gw-"))
    yield folder
    shutil.rmtree(folder)


async def test_unix_sockets(postgres_url: str, socket_folder: Path) -> None:
    parts = urlsplit(postgres_url)
    credentials = parts.netloc.rpartition("@")[0]
    async with proxied(postgres_url, socket_folder=socket_folder):
        in_the_host = parts._replace(netloc=f"{credentials}@{quote(str(socket_folder), safe='')}").geturl()
        in_a_parameter = parts._replace(netloc=f"{credentials}@", query=f"host={socket_folder}").geturl()
        for url in (in_the_host, in_a_parameter):
            assert len(await everywhere(url, WHO)) == 3


@pytest.mark.parametrize("query", ["pgbouncer=true", "statement_cache_size=0", "prepared_statement_cache_size=0"])
async def test_behind_a_pooler_no_prepared_statement_has_a_name(postgres_url: str, query: str) -> None:
    limits = SqlLimits(write_pool_size=1, pool_size=1)
    url = f"{postgres_url}?{query}"
    async with open_sql_storage(url, limits) as storage:
        await opened(storage)
        await a_batch(storage).run([submit(pay(usd(1)), "key-1")])
        await storage.reader.check()
    engine = postgres_engine(url, limits)
    async with DatabaseTransaction(engine) as transaction:
        await transaction.rows(WHO)
        await transaction.rows(SETTINGS)
        assert await transaction.rows(NAMED_STATEMENTS) == [(0,)]
    await engine.dispose()
    async with open_write_pool(url, limits) as pool, AsyncpgTransaction(pool, acquire_seconds_max=1) as direct:
        await direct.begin(lock_seconds_max=1)
        await direct.rows(WHO)
        assert await direct.rows(NAMED_STATEMENTS) == [(0,)]
    async with open_write_pool(postgres_url, limits) as pool, AsyncpgTransaction(pool, acquire_seconds_max=1) as direct:
        await direct.rows(WHO)
        assert await direct.rows(NAMED_STATEMENTS) != [(0,)]  # Otherwise this test could not fail.


async def test_behind_a_pooler_a_session_is_told_only_what_poolers_keep(postgres_url: str) -> None:
    assert await everywhere(f"{postgres_url}?pgbouncer=true", SETTINGS) == [("0", "UTC", "gateway")] * 3


async def test_behind_a_pooler_commits_have_to_be_durable(postgres_url: str) -> None:
    database = urlsplit(postgres_url).path.removeprefix("/")
    await execute(postgres_url, f"ALTER DATABASE {database} SET synchronous_commit = off")
    async with open_sql_storage(f"{postgres_url}?pgbouncer=true", ALONE) as storage:
        with pytest.raises(StorageUnavailable) as refused:
            await storage.reader.check()
        assert "synchronous_commit of the role has to be on, not off" in str(refused.value.__cause__)
        with pytest.raises(StorageUnavailable):
            await opened(storage)
    assert await everywhere(postgres_url, text("SHOW synchronous_commit")) == [("on",)] * 3


async def test_tcp_finds_out_whether_the_peer_is_there(postgres_url: str) -> None:
    async with open_write_pool(f"{postgres_url}?keepalives_idle=7", ALONE) as pool:
        connection = await pool.take(wait_seconds_max=2, connect_seconds_max=2)
        opened_socket = connection._transport.get_extra_info("socket")  # noqa: SLF001 - as in the connector.
        assert opened_socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert opened_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 7
        assert opened_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == KEEPALIVES["keepalives_count"]
        pool.give_back(connection)


async def test_the_certificate_of_the_server_is_verified(postgres_url: str, tmp_path: Path) -> None:
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    make_certificate(certificate, key)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    async with proxied(postgres_url, tls=tls) as encrypting:
        for query in (
            "sslmode=require",
            f"sslmode=verify-full&sslrootcert={certificate}",
            f"sslmode=require&channel_binding=require&sslrootcert={certificate}",
        ):
            assert len(await everywhere(f"{encrypting.url}?{query}", WHO)) == 3
        for query in ("sslmode=verify-full&sslrootcert=system", "sslmode=require&channel_binding=require"):
            async with open_sql_storage(f"{encrypting.url}?{query}") as storage:
                with pytest.raises(StorageUnavailable) as refused:
                    await storage.reader.check()
            assert isinstance(refused.value.__cause__, ssl.SSLCertVerificationError)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("sslmode=verify-full&sslrootcert=/nowhere.pem", "The file of sslrootcert cannot be read: No such file"),
        ("sslcert=/nowhere.pem", "The file of sslcert cannot be read"),
        ("sslmode=verify-ca", "sslmode=verify-ca needs sslrootcert="),
    ],
)
def test_certificates_that_are_missing_are_refused_before_anything_is_connected(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, query: str, sentence: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConnectionStringRefused, match=sentence):
        check_url(f"postgresql://db/gateway?{query}")


def make_certificate(certificate: Path, key: Path) -> None:
    """A certificate for 127.0.0.1 that vouches for itself, good for an hour."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
