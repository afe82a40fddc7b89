"""Planted bugs in API keys."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest

from gateway.domain.api_key import ApiKey, ApiKeyId
from simulation.planted_bugs import Plant


def an_owner_has_one_key_too_many(patch: pytest.MonkeyPatch) -> None:
    """`>` for `>=`."""
    patch.setattr("gateway.application.commands.shared.api_keys.API_KEYS_PER_OWNER_MAX", 101)


def a_rotation_makes_a_key_live_longer(patch: pytest.MonkeyPatch) -> None:
    """The old key ends after the chosen time, though it would have expired before."""
    rotate = ApiKey.rotate

    def rotate_later(self: ApiKey, replaced_by: ApiKeyId, *, seconds: int, now: datetime) -> ApiKey:
        return rotate(replace(self, expires_at=None), replaced_by, seconds=seconds, now=now)

    patch.setattr(ApiKey, "rotate", rotate_later)


PLANTED: Mapping[Plant, str] = {
    an_owner_has_one_key_too_many: "keys",
    a_rotation_makes_a_key_live_longer: "keys",
}
"""Each with the invariant that it breaks first, or one of them."""
