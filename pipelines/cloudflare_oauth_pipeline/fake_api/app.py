"""The part of Cloudflare's API that lists accounts, OAuth clients and scopes, as an ASGI application."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from .accounts_and_clients import Organisation
from .behaviour import Behaviour
from .credentials import credentials_error
from .envelope import Response, encoded, error_envelope, error_response, success_response
from .faults import Fault
from .paging import PageError, requested_page
from .request_log import LoggedRequest, RequestLog
from .wire import deliver

BASE_PATH = "/client/v4"
NO_FAULT = Fault("none", lambda make_response: make_response())
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Api:
    """Responds to requests from an organisation's documents, as its behaviour dictates."""

    def __init__(self, organisation: Organisation, behaviour: Behaviour, log: RequestLog) -> None:
        self.organisation = organisation
        self.behaviour = behaviour
        self.log = log
        self.errors: list[Exception] = []
        """Exceptions from bugs in this server or in a callback, as opposed to requested faults."""

    def application(self) -> Starlette:
        """The ASGI application; it must run on `WireProtocol`."""
        routes = {
            f"{BASE_PATH}/accounts": self._accounts,
            f"{BASE_PATH}/accounts/{{account_id}}": self._account,
            f"{BASE_PATH}/accounts/{{account_id}}/oauth_clients": self._oauth_clients,
            f"{BASE_PATH}/oauth/scopes": self._oauth_scopes,
            "/{path:path}": self._no_route,
        }
        return Starlette(routes=[self._route(path, serve) for path, serve in routes.items()])

    def _route(self, path: str, serve: Callable[[Request], Response]) -> Route:
        async def endpoint(request: Request) -> Any:
            async def send_response(scope: Scope, receive: Receive, send: Send) -> None:
                logged = self._logged(request)
                response = await self._respond(request, logged, lambda: serve(request))
                logged.status, logged.answered_at = response.status or None, time.monotonic()
                await deliver(response, scope, receive, send)

            return send_response

        return Route(path, endpoint, methods=METHODS)

    def _logged(self, request: Request) -> LoggedRequest:
        logged = LoggedRequest(
            method=request.method,
            path=request.scope["path"].removeprefix(BASE_PATH),
            query=dict(request.query_params),
            headers=dict(request.headers),
            account_id=request.path_params.get("account_id"),
            port=request.client.port if request.client else None,
            time=time.monotonic(),
        )
        self.log.record(logged)
        return logged

    async def _respond(
        self, request: Request, logged: LoggedRequest, serve: Callable[[], Response]
    ) -> Response:
        behaviour = self.behaviour
        allowance = behaviour.quota.spend()
        if behaviour.latency_seconds:
            await asyncio.sleep(behaviour.latency_seconds)
        try:
            if allowance.retry_after_seconds is not None:
                response = error_response(429, 971, "Please wait and consider throttling your request speed")
            else:
                fault = behaviour.fault_for(logged.path, logged.query) or NO_FAULT
                response = fault.respond(lambda: self._checked(request, serve))
        except Exception as error:
            self.errors.append(error)
            response = error_response(500, 10001, f"the fake API itself is broken: {error!r}")
        headers: dict[str, str | None] = {**allowance.headers, **response.headers}
        headers |= {name.lower(): value for name, value in behaviour.headers.items()}
        return replace(response, headers=headers)

    def _checked(self, request: Request, serve: Callable[[], Response]) -> Response:
        if request.method != "GET":
            return error_response(405, 10405, "Method not allowed", headers={"allow": "GET"})
        return credentials_error(request.headers, self.behaviour.tokens, self.behaviour.keys) or serve()

    def _accounts(self, request: Request) -> Response:
        rows = self.organisation.served_accounts()
        name = request.query_params.get("name")
        if name is not None:
            rows = [row for row in rows if isinstance(row, dict) and row.get("name") == name]
        try:
            page = self.behaviour.accounts_paging.cut(rows, request.query_params)
        except PageError as error:
            return error_response(400, 1001, str(error))
        info = self.behaviour.accounts_result_info
        return success_response(
            page.rows, info.of(page, with_total_pages=True), has_result_info=not info.is_absent
        )

    def _account(self, request: Request) -> Response:
        wanted = request.path_params["account_id"]
        for account in self.organisation.served_accounts():
            if isinstance(account, dict) and account.get("id") == wanted:
                return success_response(account, has_result_info=False)
        return self._no_account(request)

    def _oauth_clients(self, request: Request) -> Response:
        wanted = request.path_params["account_id"]
        fault = self.behaviour.standing_fault(wanted) or NO_FAULT
        return fault.respond(lambda: self._clients_page(request))

    def _clients_page(self, request: Request) -> Response:
        wanted = request.path_params["account_id"]
        behaviour = self.behaviour
        paging, query = behaviour.clients_paging, request.query_params
        rows = self.organisation.served_clients(wanted)
        try:
            if behaviour.between is not None and rows is not None:
                behaviour.between(wanted, requested_page(query), self.organisation)
                rows = self.organisation.served_clients(wanted)
            if rows is None:
                return self._no_account(request)
            page = paging.cut(rows, query)
        except PageError as error:
            return error_response(400, 1001, str(error))
        info = behaviour.result_info_of.get(wanted, behaviour.clients_result_info)
        return success_response(
            page.rows, info.of(page, with_total_pages=False), has_result_info=not info.is_absent
        )

    def _oauth_scopes(self, request: Request) -> Response:
        scopes = self.organisation.scopes
        count = len(scopes)
        return success_response(scopes, {"page": 1, "per_page": count, "count": count, "total_count": count})

    def _no_account(self, request: Request) -> Response:
        wanted = request.path_params["account_id"]
        if len(wanted) == 32 and set(wanted) <= set("0123456789abcdefABCDEF"):
            if request.scope["path"].endswith(wanted):
                return error_response(403, 9109, "Unauthorized to access requested resource")
            return error_response(403, 10000, "Authentication error")
        return self._no_route(request)

    def _no_route(self, request: Request) -> Response:
        message = f"Could not route to {request.scope['path']}, perhaps your object identifier is invalid?"
        envelope = error_envelope(7003, message)
        envelope["errors"].append({"code": 7000, "message": "No route for that URI"})
        return Response(404, encoded(envelope))
