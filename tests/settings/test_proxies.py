"""In production, not everybody is a trusted proxy."""

import pytest

from gateway.settings.field import SettingsRefused
from gateway.settings.reader import read_settings
from gateway.settings.values import Settings

EVERYBODY = [
    "*",
    "0.0.0.0/0",
    "::/0",
    "0.0.0.0/1, 128.0.0.0/1",
    "::/1, 8000::/1",
    "10.0.0.7, 0.0.0.0/0",
    "128.0.0.0/1",  # Half of it.
    "1.0.0.0/8, 2.0.0.0/7, 4.0.0.0/6, 8.0.0.0/5, 16.0.0.0/4, 32.0.0.0/3, 64.0.0.0/2, 128.0.0.0/3",
    "2000::/3",  # All that is in use.
    "2000::/4, 3000::/4",
    "::ffff:0:0/96",  # All of IPv4, as a socket for both families sees it.
    "::ffff:0:0/97, ::ffff:128.0.0.0/97",
    "::/64",
]
PROXIES = [
    "",
    "127.0.0.1, ::1",
    "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16",
    "fc00::/7, fe80::/10",
    "::ffff:10.0.0.0/104",
    "34.0.0.0/8, 35.0.0.0/8",
    "0.0.0.0/2, 0.0.0.0/2, 10.0.0.0/8",  # One network, twice.
]


@pytest.mark.parametrize("proxies", EVERYBODY)
def test_everybody_is_no_proxy_in_production(proxies: str) -> None:
    listed = tuple(each.strip() for each in proxies.split(","))
    environ = {"GATEWAY_TRUSTED_PROXIES": proxies}

    with pytest.raises(SettingsRefused, match=r"^GATEWAY_TRUSTED_PROXIES holds everybody.* addresses of your proxies"):
        read_settings(environ | {"GATEWAY_ENVIRONMENT": "production"})
    with pytest.raises(SettingsRefused, match=r"^GATEWAY_TRUSTED_PROXIES holds everybody"):
        Settings(environment="production", trusted_proxies=listed)
    assert read_settings(environ).trusted_proxies == listed  # The sandbox.


@pytest.mark.parametrize("proxies", PROXIES)
def test_networks_of_proxies_are_taken_in_production(proxies: str) -> None:
    read_settings({"GATEWAY_TRUSTED_PROXIES": proxies, "GATEWAY_ENVIRONMENT": "production"})
