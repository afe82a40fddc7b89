"""Refusals about members of a merchant, and their invitations."""

from gateway.domain.errors import Refusal


class MemberNotFound(Refusal):
    """No such member, or none of the asker's merchant."""

    code = "member_not_found"


class MemberExists(Refusal):
    """The merchant has a member or an open invitation with this e-mail address."""

    code = "member_exists"


class MemberLimitReached(Refusal):
    """The merchant has as many members as one may have. Not stored: one may be removed."""

    code = "member_limit_reached"
    stored = False


class LastOwner(Refusal):
    """The merchant would have no owner left."""

    code = "last_owner"


class InvitationNotFound(Refusal):
    """No open invitation with this token for this e-mail address. The same words for all reasons."""

    code = "invitation_not_found"


class NotAMember(Refusal):
    """The caller is no member of this merchant. The same words for a merchant that does not exist."""

    code = "not_a_member"
    stored = False
