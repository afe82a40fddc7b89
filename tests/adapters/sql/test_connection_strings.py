"""Connection strings of Postgres: what libpq and hosting services write is understood, the rest is a sentence."""

import pytest

from gateway.adapters.sql.connection_parameters import ConnectionStringRefused
from gateway.adapters.sql.connection_string import parse_connection_string

HANDED_OUT = {
    "Heroku": "postgres://ada:secret@ec2-52-1-1-1.compute-1.amazonaws.com:5432/d7abc",
    "Heroku with TLS": "postgres://ada:secret@ec2.amazonaws.com:5432/d7?sslmode=require",
    "Neon": "postgresql://ada:secret@ep-cool.us-east-2.aws.neon.tech/neondb?sslmode=require&channel_binding=require",
    "Neon by endpoint": "postgresql://ada:secret@neon.tech/neondb?options=endpoint%3Dep-cool&sslmode=require",
    "Supabase": "postgresql://postgres.abc:secret@aws-0-eu-west-1.pooler.supabase.com:6543/postgres?pgbouncer=true",
    "RDS": "postgresql://ada:secret@db.abc.eu-west-1.rds.amazonaws.com:5432/gateway?sslmode=verify-full"
    "&sslrootcert=system&connect_timeout=10",
    "Fly": "postgres://gateway:secret@gateway-db.flycast:5432/gateway?sslmode=disable",
    "Render": "postgresql://ada:secret@dpg-abc-a.frankfurt-postgres.render.com/gateway",
    "DigitalOcean": "postgresql://doadmin:secret@db-do-user-1-0.b.db.ondigitalocean.com:25060/defaultdb?sslmode=require",
    "Azure": "postgresql://ada%40server:secret@server.postgres.database.azure.com:5432/gateway?ssl=true",
    "Cloud SQL": "postgresql://ada:secret@/gateway?host=/cloudsql/project:region:instance",
    "Vercel": "postgres://ada:secret@aws-0.pooler.supabase.com:6543/postgres?sslmode=require&supa=base-pooler.x",
    "node-postgres": "postgresql://ada:secret@db/gateway?uselibpqcompat=true&sslmode=require",
    "SQLAlchemy": "postgresql+asyncpg://ada:secret@db/gateway?prepared_statement_cache_size=0",
    "libpq": "postgresql://ada:secret@db/gateway?application_name=gw&fallback_application_name=x&keepalives_idle=5"
    "&keepalives=1&tcp_user_timeout=3000&client_encoding=UTF8&gssencmode=prefer&sslsni=1&load_balance_hosts=disable"
    "&sslcompression=0&target_session_attrs=read-write",
}


@pytest.mark.parametrize("service", HANDED_OUT)
def test_what_hosting_services_hand_out_is_understood(service: str) -> None:
    string = parse_connection_string(HANDED_OUT[service])
    assert string.hosts
    assert string.password in {"secret", None}
    assert "secret" not in repr(string)


def test_every_part_is_percent_decoded() -> None:
    string = parse_connection_string("postgresql://a%40b:p%3A%2F%3F%23%25@h%2Dx:5433/my%20db?application_name=a%26b+c")
    assert (string.user, string.password, string.database) == ("a@b", "p:/?#%", "my db")
    assert string.hosts == (("h-x", 5433),)
    assert string.server_settings == {"application_name": "a&b+c"}


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://", ()),
        ("postgresql:///gateway", ()),
        ("postgresql://db", (("db", 5432),)),
        ("postgresql://db:/gateway", (("db", 5432),)),
        ("postgresql://h1:5432,h2:5433,h3/gateway", (("h1", 5432), ("h2", 5433), ("h3", 5432))),
        ("postgresql://[::1]:5433,[fe80::1]/gateway", (("::1", 5433), ("fe80::1", 5432))),
        ("postgresql://%2Fvar%2Frun%2Fpostgresql/gateway", (("/var/run/postgresql", 5432),)),
        ("postgresql://%2Fvar%2Frun:5433/gateway", (("/var/run", 5433),)),
        ("postgresql:///gateway?host=/var/run&port=5433", (("/var/run", 5433),)),
        ("postgresql:///gateway?host=/cloudsql/project:region:name", (("/cloudsql/project:region:name", 5432),)),
        ("postgresql:///gateway?host=h1,h2&port=5433,5434", (("h1", 5433), ("h2", 5434))),
        ("postgresql:///gateway?host=h1,h2&port=5433", (("h1", 5433), ("h2", 5433))),
        ("postgresql:///gateway?host=h1:5433&host=h2:5434", (("h1", 5433), ("h2", 5434))),
        ("postgresql://elsewhere/gateway?host=h1", (("h1", 5432),)),
    ],
)
def test_hosts(url: str, hosts: tuple[tuple[str, int], ...]) -> None:
    assert parse_connection_string(url).hosts == hosts


def test_parameters_win_over_what_stands_before_them_and_the_last_one_wins() -> None:
    string = parse_connection_string("postgresql://a:b@h/c?user=d&password=e&dbname=f&dbname=g")
    assert (string.user, string.password, string.database) == ("d", "e", "g")


@pytest.mark.parametrize(
    ("query", "size", "is_pooled"),
    [
        ("", None, False),
        ("pgbouncer=true", 0, True),
        ("pgbouncer=false", None, False),
        ("statement_cache_size=0", 0, True),
        ("prepared_statement_cache_size=0", 0, True),
        ("statement_cache_size=50", 50, False),
        ("statement_cache_size=50&prepared_statement_cache_size=0", 0, True),
    ],
)
def test_poolers(query: str, size: int | None, *, is_pooled: bool) -> None:
    string = parse_connection_string(f"postgresql://db/gateway?{query}")
    assert (string.statement_cache_size, string.is_pooled) == (size, is_pooled)


@pytest.mark.parametrize(
    ("query", "mode", "roots"),
    [
        ("", None, None),
        ("sslmode=require", "require", None),
        ("ssl=true", "require", None),
        ("ssl=verify-full", "verify-full", None),
        ("sslmode=disable&ssl=true", "disable", None),
        ("sslmode=require&channel_binding=prefer", "require", None),
        ("sslmode=require&channel_binding=require", "verify-full", "system"),
        ("channel_binding=require&sslrootcert=/etc/ca.pem", "verify-full", "/etc/ca.pem"),
        ("sslrootcert=system", "verify-full", "system"),
    ],
)
def test_encryption(query: str, mode: str | None, roots: str | None) -> None:
    string = parse_connection_string(f"postgresql://db/gateway?{query}")
    assert (string.ssl_mode, string.tls.get("sslrootcert")) == (mode, roots)


def test_times_and_attributes() -> None:
    string = parse_connection_string(
        "postgresql://db/c?connect_timeout=10&target_session_attrs=primary&tcp_user_timeout=3000&options=-c%20jit%3Doff"
    )
    assert string.connect_timeout_seconds == 10
    assert string.target_session_attrs == "primary"
    assert string.keepalives == {"tcp_user_timeout": 3000}
    assert string.server_settings == {"options": "-c jit=off"}
    assert parse_connection_string("postgresql://db/c?connect_timeout=0").connect_timeout_seconds is None


REFUSED = {
    "postgresql://a:hunter2@hunter2@h/c": "percent-encoded",
    "postgresql://a:hunter2/x@h/c": "percent-encoded",
    "postgresql://a:hunter2#x@h/c": "percent-encoded",
    "postgresql://h:hunter2/c": "port",
    "postgresql://h:0/c": "port",
    "postgresql://h:65536/c": "port",
    "postgresql://h..x/c": "A host is a name",
    "postgresql://h ost/c": "A host is a name",
    "postgresql://ada:secret@h%20ost/c": "A host is a name",
    "postgresql://h1,,h2/c": "A host is a name",
    "postgresql://::1/c": "A host is a name",
    "postgresql:///c?host=h1,h2&port=1,2,3": "as many ports as hosts",
    "postgresql:///c?port=5433": "port needs a host",
    "postgresql://h/c?hunter2": "name=value",
    "postgresql://h/c?hunter%002=1": "control characters",
    "postgresql://a:b%0Ahunter2@h/c": "control characters",
    "postgresql://a:b%ff@h/c": "UTF-8",
    "postgresql://h/c?sslmode=hunter2": "sslmode can be disable or",
    "postgresql://h/c?ssl=hunter2": "ssl can be true or",
    "postgresql://h/c?target_session_attrs=x": "target_session_attrs can be any or",
    "postgresql://h/c?channel_binding=x": "channel_binding can be",
    "postgresql://h/c?sslmode=disable&channel_binding=require": "needs TLS",
    "postgresql://h/c?sslmode=require&sslrootcert=system": "needs sslmode=verify-full",
    "postgresql://h/c?connect_timeout=1.5": "connect_timeout is a whole number",
    "postgresql://h/c?keepalives_idle=-1": "keepalives_idle is a whole number",
    "postgresql://h/c?statement_cache_size=hunter2": "statement_cache_size is a whole number",
    "postgresql://h/c?pgbouncer=maybe": "pgbouncer can be",
    "postgresql://h/c?client_encoding=latin1": "client_encoding can be",
    "postgresql://h/c?gssencmode=require": "gssencmode can be",
    "postgresql://h/c?require_auth=scram-sha-256": "cannot honour the parameter require_auth",
    "postgresql://h/c?replication=database": "replication can be",
    "postgresql://h/c?hostaddr=10.0.0.1": "Write the address as the host",
    "postgresql://h/c?service=x": "Write out what the service file says",
    "postgresql://h/c?schema=x": "search_path",
    "postgresql://h/c?connection_limit=1": "GATEWAY_DATABASE_POOL_SIZE",
    "postgresql://h/c?statement_timeout=1": "does not know the parameter statement_timeout.*options=",
}


@pytest.mark.parametrize("url", REFUSED)
def test_what_cannot_be_honoured_is_refused_in_a_sentence_without_passwords(url: str) -> None:
    with pytest.raises(ConnectionStringRefused, match=REFUSED[url]) as refused:
        parse_connection_string(url)
    assert str(refused.value).endswith(".")
    assert "hunter2" not in str(refused.value)
