"""Options of the event sink on NATS JetStream."""

import re
import ssl
from dataclasses import field
from pathlib import Path
from typing import Final

from gateway.domain.immutable import immutable

_CREDENTIALS: Final = re.compile(
    r".*BEGIN NATS USER JWT-*\r?\n[\w.-]+\r?\n.*BEGIN USER NKEY SEED-*\r?\nSU[A-Z2-7]{56}\r?\n.*", re.DOTALL
)


class NatsRefused(Exception):  # noqa: N818 - names what happened.
    """An option cannot be used; the message says which."""


@immutable
class StreamOptions:
    """The stream that stores the events.

    Attributes:
        name: Its name: letters, digits, `-` and `_`.
        create: Create the stream if there is none. Otherwise publishing waits until there is one.
        duplicate_window_seconds: How long a new stream recognises the id of an event.
        keep_seconds: How long a new stream stores an event.
        replicas: How many servers of a cluster store each event of a new stream.
    """

    name: str = "GATEWAY_EVENTS"
    create: bool = True
    duplicate_window_seconds: int = 600
    keep_seconds: int = 90 * 86_400
    replicas: int = 1


@immutable
class NatsOptions:
    """How events get to NATS.

    Attributes:
        servers: URLs, `nats://host:4222` or `tls://host:4222`, at least one: all of one cluster.
        stream: The stream that stores the events.
        subject: What all subjects begin with: an event's subject is `<subject>.<type>`.
        source: The `source` of each CloudEvent: a URI reference.
        credentials_file: A file with a user's JWT and seed, as `nsc` makes it; `None` to log in as the URLs say.
        tls: Certificates of TLS connections; `None` to trust the certificates that the system trusts.
        connect_seconds_max: How long connecting to one server may take.
        acknowledge_seconds_max: How long acknowledgements may take.
    """

    servers: tuple[str, ...] = field(repr=False)
    stream: StreamOptions = field(default_factory=StreamOptions)
    subject: str = "gateway.events"
    source: str = "gateway"
    credentials_file: Path | None = None
    tls: ssl.SSLContext | None = None
    connect_seconds_max: float = 3.0
    acknowledge_seconds_max: float = 10.0


def check_credentials(file: Path) -> None:
    """Check a file of credentials.

    Raises:
        NatsRefused: It cannot be read, or is not a file of credentials.
    """
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise NatsRefused(f"{file} cannot be read: {reason}.") from error
    if not _CREDENTIALS.fullmatch(text):
        raise NatsRefused(f"{file} does not hold the JWT and the seed of a NATS user. `nsc generate creds` makes one.")


def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """The authorities that TLS connections trust: those of a PEM file, or if it is empty, those of the system.

    Raises:
        NatsRefused: The file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise NatsRefused(f"{ca_file} cannot be used: {_reason(error)}.") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # Debian's Python leaves it to OpenSSL.
    return context


def add_certificate(tls: ssl.SSLContext, certificate_file: str, key_file: str = "") -> None:
    """Let TLS connections show a certificate of the gateway.

    Args:
        tls: The connections.
        certificate_file: The certificate, as PEM.
        key_file: Its private key, as PEM without a password; if empty, it is in the file of the certificate.

    Raises:
        NatsRefused: A file cannot be used.
    """
    try:
        # The empty password refuses an encrypted key; OpenSSL would ask the terminal for it.
        tls.load_cert_chain(certificate_file, key_file or None, password="")
    except OSError as error:
        files = f"{certificate_file} with {key_file}" if key_file else certificate_file
        raise NatsRefused(f"{files} cannot be used: {_reason(error)}.") from error


def _reason(error: OSError) -> str:
    no_pem = isinstance(error, ssl.SSLError) or not error.strerror
    return "it does not hold what is expected, as PEM" if no_pem else str(error.strerror)
