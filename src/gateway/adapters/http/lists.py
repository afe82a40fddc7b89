"""A page of a list, asked with a limit, a cursor and filters."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import Handler, ListView, json_response
from gateway.adapters.http.resources.fields import PageQuery
from gateway.application.queries import Page

Query = TypeVar("Query", bound=PageQuery)
Record = TypeVar("Record")
PAGE_FIELDS = ("limit", "cursor")


def listing(
    cursors: Cursors,
    query_type: type[Query],
    find: Callable[[Request, Query, str | None], Awaitable[Page[Any]]],
    to_views: Callable[[Request, Any], Awaitable[list[Any]]],
) -> Handler:
    """The handler of a list: `find` reads the page behind an id, `to_views` shapes what it found."""

    async def handle(request: Request) -> Response:
        query: Query = request.query
        list_name, owner_id = request.path, request.caller.user_id
        filters = _filters(query)
        before = None
        if query.cursor is not None:
            before, filters = cursors.read(query.cursor, list_name, owner_id, filters)
            query = msgspec.convert({**filters, "limit": query.limit}, query_type)
        page = await find(request, query, before)
        next_cursor = cursors.make(list_name, owner_id, filters, before=page.items[-1].id) if page.has_more else None
        views = await to_views(request, page.items)
        return json_response(200, ListView[Any](data=views, has_more=page.has_more, next_cursor=next_cursor))

    return handle


def _filters(query: PageQuery) -> dict[str, Any]:
    given = msgspec.to_builtins(query)
    return {name: value for name, value in given.items() if name not in PAGE_FIELDS}
