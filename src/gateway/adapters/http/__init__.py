"""The REST API: a Litestar application that decodes requests, submits commands and encodes results."""

from gateway.adapters.http.access_log import AccessLog, Entry
from gateway.adapters.http.app import GatewayOpener, Layer, create_app
from gateway.adapters.http.endpoint import HttpLimits
from gateway.adapters.http.large_bodies import LargeBodyLimits

__all__ = ["AccessLog", "Entry", "GatewayOpener", "HttpLimits", "LargeBodyLimits", "Layer", "create_app"]
