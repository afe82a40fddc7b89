"""What operators do with users: disable them, enable them, end their sessions."""

from typing import Final

from gateway.adapters.http.messages import Request
from gateway.adapters.http.operations import Body, Idempotency, Operation
from gateway.adapters.http.resources.fields import Reason
from gateway.adapters.http.resources.users import EXAMPLE_USER, TAG
from gateway.adapters.http.submissions import identity, submitting
from gateway.application.commands.disable_user import DisableUser, EnableUser
from gateway.application.commands.end_sessions import EndSessions
from gateway.application.views.users import UserView, user_view
from gateway.domain.user import Role, UserId
from gateway.domain.user_with_accounts import UserWithAccounts


class UserActionBody(Body, frozen=True, kw_only=True):
    """Why."""

    reason: Reason


def to_disable(request: Request[UserActionBody]) -> DisableUser:
    """Disable the user."""
    return DisableUser(user_id=UserId(request.path_ids["user_id"]), reason=request.body.reason)


def to_enable(request: Request[UserActionBody]) -> EnableUser:
    """Enable the user."""
    return EnableUser(user_id=UserId(request.path_ids["user_id"]), reason=request.body.reason)


def to_end_sessions(request: Request[UserActionBody]) -> EndSessions:
    """End the sessions of the user."""
    return EndSessions(user_id=UserId(request.path_ids["user_id"]), reason=request.body.reason)


def to_user_view(shown: UserWithAccounts) -> UserView:
    """The user, with their accounts."""
    return user_view(shown.user, shown.accounts)


OPERATORS: Final = frozenset({Role.OPERATOR})

OPERATIONS = (
    Operation(
        method="POST",
        path="/users/{user_id}/disable",
        name="disableUser",
        tag=TAG,
        summary="Keep a user out, and let nothing new begin on their accounts",
        handler=submitting(to_disable, to_user_view, record_of=identity),
        body=UserActionBody,
        result=UserView,
        idempotency=Idempotency.OPTIONAL,
        codes=("user_not_found",),
        example={"reason": "Their laptop was stolen"},
        example_result={**EXAMPLE_USER, "status": "disabled"},
    ),
    Operation(
        method="POST",
        path="/users/{user_id}/enable",
        name="enableUser",
        tag=TAG,
        summary="Let a disabled user in again",
        handler=submitting(to_enable, to_user_view, record_of=identity),
        body=UserActionBody,
        result=UserView,
        idempotency=Idempotency.OPTIONAL,
        codes=("user_not_found",),
        example={"reason": "They have a new password"},
        example_result=EXAMPLE_USER,
    ),
    Operation(
        method="POST",
        path="/users/{user_id}/end-sessions",
        name="endSessions",
        tag=TAG,
        summary="End all sessions of a user, who may log in again",
        handler=submitting(to_end_sessions, to_user_view),
        body=UserActionBody,
        result=UserView,
        idempotency=Idempotency.OPTIONAL,
        codes=("user_not_found",),
        example={"reason": "A token was posted in a chat"},
        example_result=EXAMPLE_USER,
    ),
)
