"""What operators do with users: disable them, enable them, end their sessions."""

from collections.abc import Callable

from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import AnyOperation, Body, Handler, Idempotency, Operation
from gateway.adapters.http.resources.fields import Reason
from gateway.adapters.http.resources.users import EXAMPLE_USER, TAG
from gateway.adapters.http.submissions import ResultT, identity, no_record, submitted
from gateway.application.commands.disable_user import DisableUser, EnableUser
from gateway.application.commands.end_sessions import EndSessions
from gateway.application.engine.command import Command
from gateway.application.views.users import UserView, user_view
from gateway.domain.user import UserId
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


def _at_once(
    to_command: Callable[[Request[UserActionBody]], Command[ResultT]],
    to_view: Callable[[ResultT], object],
    *,
    record_of: Callable[[ResultT], object] = no_record,
) -> Handler[UserActionBody, None]:
    """The handler that submits the command; this process then notices at once who is let in no more, or again."""

    async def handle(request: Request[UserActionBody]) -> Response:
        response = await submitted(request, to_command(request), to_view, record_of=record_of)
        request.gateway.access.renew_endings()
        return response

    return handle


def _action(
    verb: str, name: str, summary: str, handler: Handler[UserActionBody], reason: str, status: str
) -> AnyOperation:
    """What an operator does with a user. The last two are of the example: why, and the user's status afterwards."""
    return Operation(
        method="POST",
        path=f"/users/{{user_id}}/{verb}",
        name=name,
        tag=TAG,
        summary=summary,
        handler=handler,
        body=UserActionBody,
        result=UserView,
        idempotency=Idempotency.OPTIONAL,
        codes=("user_not_found",),
        example={"reason": reason},
        example_result={**EXAMPLE_USER, "status": status},
    )


OPERATIONS = (
    _action(
        "disable",
        "disableUser",
        "Keep a user out, and let nothing new begin on their accounts",
        _at_once(to_disable, to_user_view, record_of=identity),
        "Their laptop was stolen",
        "disabled",
    ),
    _action(
        "enable",
        "enableUser",
        "Let a disabled user in again",
        _at_once(to_enable, to_user_view, record_of=identity),
        "They have a new password",
        "active",
    ),
    _action(
        "end-sessions",
        "endSessions",
        "End all sessions of a user, who may log in again",
        _at_once(to_end_sessions, to_user_view),
        "A token was posted in a chat",
        "active",
    ),
)
