"""Lists: pages with a limit, a cursor and filters."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import Handler, ListView, json_response
from gateway.adapters.http.resources.fields import PageQuery
from gateway.application.queries import Page

PageQueryT = TypeVar("PageQueryT", bound=PageQuery)
PAGE_FIELDS = ("limit", "cursor")


def listing(
    cursors: Cursors, find: Callable[[Request[None, PageQueryT], Any], Awaitable[Page[Any]]]
) -> Handler[None, PageQueryT]:
    """The handler of a list.

    Args:
        cursors: Signs and verifies the cursors.
        find: Reads a page of views, each with an id: those before an id, or the newest for `None`.
    """

    async def handle(request: Request[None, PageQueryT]) -> Response:
        query = request.query
        list_name, owner_id = request.path, request.caller.user_id
        filters = filters_of(query)
        before = None
        if query.cursor is not None:
            before, filters = cursors.read(query.cursor, list_name, owner_id, filters)
            request.query = msgspec.convert({**filters, "limit": query.limit}, type(query))
        page = await find(request, before)
        before = page.next_before
        next_cursor = None if before is None else cursors.make(list_name, owner_id, filters, before=before)
        view = ListView[Any](data=list(page.items), has_more=page.has_more, next_cursor=next_cursor)
        return json_response(200, view)

    return handle


def filters_of(query: PageQuery) -> dict[str, Any]:
    """The filters of a query, as a cursor has them."""
    fields = msgspec.to_builtins(query)
    return {name: value for name, value in fields.items() if name not in PAGE_FIELDS}
