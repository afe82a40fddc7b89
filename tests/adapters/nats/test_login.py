"""Logging in to NATS: passwords, credentials files and TLS, each right and wrong, on a real server."""

import asyncio
import base64
import datetime as dt
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import nkeys
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.adapters.nats.options import NatsOptions, NatsRefused, add_certificate, check_credentials, tls_context
from gateway.adapters.nats.sink import open_nats_sink
from gateway.application.ports.event_sink import SinkUnavailable
from gateway.application.ports.events import FeedEvent
from gateway.contracts.records import NOW, an_account, an_event
from gateway.domain.event_type import EventType
from support.nats import NatsServer, stored
from support.servers import free_port

REFUSED = "Authorization Violation|Connection reset"
"""What a refused login says. The server closes the connection at once: its reset may overtake its refusal."""


@asynccontextmanager
async def running(folder: Path, config: str) -> AsyncIterator[NatsServer]:
    server = NatsServer(folder, config)
    await server.start()
    try:
        yield server
    finally:
        server.stop()


def an_event_of_the_feed() -> FeedEvent:
    event = an_event(1, an_account(1), EventType.ACCOUNT_FROZEN)
    return FeedEvent(
        position=1,
        id=event.id,
        type=event.type,
        object_id=event.object.id,
        sequence=1,
        customer_id=None,
        merchant_id=None,
        created_at=NOW,
        data=event.data,
    )


async def publish(options: NatsOptions) -> None:
    async with open_nats_sink(options) as sink:
        await sink.publish([an_event_of_the_feed()])


async def test_a_user_and_a_password_in_the_url_are_percent_encoded(tmp_path: Path) -> None:
    async with running(tmp_path, 'authorization { user: "gate@way", password: "s:e/c@ret" }') as server:
        address = server.url.removeprefix("nats://")
        await publish(NatsOptions(servers=(f"nats://gate%40way:s%3Ae%2Fc%40ret@{address}",)))
        for url in (server.url, f"nats://gate%40way:wrong@{address}"):
            with pytest.raises(SinkUnavailable, match=f"{address}: .*({REFUSED})") as refused:
                await publish(NatsOptions(servers=(url,)))
            assert "wrong" not in str(refused.value)
        assert len(await stored(server, user="gate@way", password="s:e/c@ret")) == 1


async def test_a_missing_permission_is_told_at_once(tmp_path: Path) -> None:
    allowed = '["$JS.API.>", "_INBOX.>"]'
    users = f'[{{ user: a, password: b, permissions: {{ publish: {allowed}, subscribe: "_INBOX.>" }} }}]'
    async with running(tmp_path, f"authorization {{ users: {users} }}") as server:
        began = time.monotonic()
        with pytest.raises(SinkUnavailable, match=r"(?i)permissions violation for publish"):
            await publish(NatsOptions(servers=(server.url.replace("//", "//a:b@"),), acknowledge_seconds_max=30))
        assert time.monotonic() - began < 30


async def test_a_credentials_file_logs_in_and_another_users_does_not(tmp_path: Path) -> None:
    operator, other = an_operator(), an_operator()
    good, bad = tmp_path / "good.creds", tmp_path / "bad.creds"
    good.write_text(operator.credentials)
    bad.write_text(other.credentials)
    async with running(tmp_path / "nats", operator.config) as server:
        await publish(NatsOptions(servers=(server.url,), credentials_file=good))
        assert len(await stored(server, user_credentials=str(good))) == 1
        with pytest.raises(SinkUnavailable, match=REFUSED):
            await publish(NatsOptions(servers=(server.url,), credentials_file=bad))
        assert len(await stored(server, user_credentials=str(good))) == 1
        good.unlink()
        with pytest.raises(SinkUnavailable, match=r"good\.creds cannot be read: No such file"):
            await publish(NatsOptions(servers=(server.url,), credentials_file=good))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:0],
        lambda text: text.replace("USER JWT", "JWT"),
        lambda text: text.replace("\nSU", "\nSA"),
        lambda text: text[: text.index("\nSU")],
    ],
)
def test_a_file_that_is_not_one_of_credentials_is_refused(tmp_path: Path, change: Any) -> None:
    file = tmp_path / "user.creds"
    text = an_operator().credentials
    file.write_text(text)
    check_credentials(file)
    file.write_text(change(text))
    with pytest.raises(NatsRefused, match=r"user\.creds does not hold"):
        check_credentials(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(NatsRefused, match="not UTF-8"):
        check_credentials(file)


async def test_tls_is_verified_in_both_directions(tmp_path: Path) -> None:
    authority, other = an_authority(tmp_path, "authority"), an_authority(tmp_path, "other")
    of_server, of_client = authority.certify(tmp_path, "server"), authority.certify(tmp_path, "client")
    config = f"""tls {{
        cert_file: "{of_server.certificate}", key_file: "{of_server.key}", ca_file: "{authority.file}", verify: true
    }}"""
    async with running(tmp_path / "nats", config) as server:
        url = server.url.replace("nats://", "tls://")
        trusting, trusting_another = tls_context(str(authority.file)), tls_context(str(other.file))
        for context in (trusting, trusting_another):
            add_certificate(context, str(of_client.certificate), str(of_client.key))
        await publish(NatsOptions(servers=(url,), tls=trusting))
        for tls in (trusting_another, tls_context(str(authority.file)), None):
            with pytest.raises(SinkUnavailable, match=r"127\.0\.0\.1"):
                await publish(NatsOptions(servers=(url,), tls=tls, acknowledge_seconds_max=5))
        assert len(await stored(server, tls=trusting)) == 1


async def test_a_tls_url_sends_no_password_to_a_server_without_tls() -> None:
    received = bytearray()

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.10.0","max_payload":1048576,"headers":true}\r\n')
        while data := await reader.read(1000):
            received.extend(data)
            if data.endswith(b"PING\r\n"):
                writer.write(b"PONG\r\n")
        writer.close()

    port = free_port()
    async with await asyncio.start_server(pretend, "127.0.0.1", port):
        with pytest.raises(SinkUnavailable, match="does not use TLS"):
            await publish(NatsOptions(servers=(f"tls://user:secret@127.0.0.1:{port}",)))
    assert b"secret" not in received
    assert b"CONNECT" not in received


def test_tls_files_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    authority = an_authority(tmp_path, "authority")
    pair = authority.certify(tmp_path, "client")
    no_pem = tmp_path / "none.pem"
    no_pem.write_text("nothing")
    tls = tls_context(str(authority.file))
    add_certificate(tls, str(pair.certificate), str(pair.key))
    with pytest.raises(NatsRefused, match=r"missing\.pem cannot be used: No such file"):
        tls_context(str(tmp_path / "missing.pem"))
    with pytest.raises(NatsRefused, match=r"none\.pem cannot be used: it does not hold"):
        tls_context(str(no_pem))
    with pytest.raises(NatsRefused, match=r"client\.pem cannot be used: it does not hold"):
        add_certificate(tls, str(pair.certificate))
    with pytest.raises(NatsRefused, match=r"client\.pem with .*none\.pem cannot be used"):
        add_certificate(tls, str(pair.certificate), str(no_pem))


class Pair(NamedTuple):
    certificate: Path
    key: Path


class Authority(NamedTuple):
    file: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def certify(self, folder: Path, name: str) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, self.certificate.subject, self.key, is_authority=False)
        pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return pair


def an_authority(folder: Path, name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(name, key, _name(name), key, is_authority=True)
    file = folder / f"{name}.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(file, certificate, key)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


class Operator(NamedTuple):
    config: str
    credentials: str


def an_operator() -> Operator:
    """The config of a server with an operator and an account, and the credentials of a user, as `nsc` makes them."""
    operator, account, system, user = (
        _key(prefix)
        for prefix in (nkeys.PREFIX_BYTE_OPERATOR, *[nkeys.PREFIX_BYTE_ACCOUNT] * 2, nkeys.PREFIX_BYTE_USER)
    )
    limits = {"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "conn": -1, "leaf": -1}
    of_jetstream = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
    of_account = {"type": "account", "version": 2, "limits": limits | of_jetstream | {"wildcards": True}}
    of_user = {"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}}
    jwts = {
        "operator": _jwt(operator, operator, {"type": "operator", "version": 2}),
        "account": _jwt(account, operator, of_account),
        "system": _jwt(system, operator, {"type": "account", "version": 2, "limits": limits | {"wildcards": True}}),
        "user": _jwt(user, account, of_user),
    }
    config = f"""
        operator: "{jwts["operator"]}"
        system_account: "{_public(system)}"
        resolver: MEMORY
        resolver_preload: {{ {_public(account)}: "{jwts["account"]}", {_public(system)}: "{jwts["system"]}" }}
    """
    credentials = (
        f"-----BEGIN NATS USER JWT-----\n{jwts['user']}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )
    return Operator(config, credentials)


def _key(prefix: int) -> Any:
    return nkeys.from_seed(nkeys.encode_seed(secrets.token_bytes(32), prefix))


def _public(key: Any) -> str:
    public = key.public_key
    return public.decode() if isinstance(public, bytes | bytearray) else str(public)


def _jwt(subject: Any, issuer: Any, claims: dict[str, Any]) -> str:
    body = {"iat": int(time.time()), "iss": _public(issuer), "name": "test", "sub": _public(subject), "nats": claims}
    body["jti"] = base64.b32encode(hashlib.sha256(json.dumps(body).encode()).digest()).decode().rstrip("=")
    signed = ".".join(_base64(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, body))
    return f"{signed}.{_base64(issuer.sign(signed.encode()))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
