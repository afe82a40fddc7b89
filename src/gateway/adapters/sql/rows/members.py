"""Members as rows."""

from collections.abc import Sequence
from typing import Any, Final

from gateway.adapters.sql.rows.values import Values
from gateway.adapters.sql.types import Found
from gateway.domain.member import Member
from gateway.domain.member_role import MemberRole


def member_values(member: Member) -> Values:
    """The row of a member."""
    return (
        member.id,
        member.merchant_id,
        member.email,
        member.role.value,
        member.user_id,
        member.invited_by,
        member.token_hash,
        member.created_at,
        member.expires_at,
        member.joined_at,
        member.changed_at,
        member.removed_at,
        member.sequence,
    )


def to_member(row: Found | Sequence[Any]) -> Member:
    """The member of a row."""
    return Member(
        id=row[0],
        merchant_id=row[1],
        email=row[2],
        role=MemberRole(row[3]),
        user_id=row[4],
        invited_by=row[5],
        token_hash=None if row[6] is None else bytes(row[6]),
        created_at=row[7],
        expires_at=row[8],
        joined_at=row[9],
        changed_at=row[10],
        removed_at=row[11],
        sequence=row[12],
    )


MEMBER_COLUMNS: Final = 13
"""How many values a row has; further columns are of a joined table."""
