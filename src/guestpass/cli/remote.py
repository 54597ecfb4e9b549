"""Run commands on a remote server: over its API, with a bearer token."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import httpx2
from pydantic import BaseModel, ValidationError

import guestpass
from guestpass.app.accounts import SignInCredentials
from guestpass.app.environments import EnvironmentChange, NewEnvironment
from guestpass.app.links import LinkChange, LinkSearch, NewLink
from guestpass.cli.bodies import as_account, as_body, as_patch, as_query
from guestpass.cli.session import REFUSED, UNAVAILABLE, WRONG, Stopped
from guestpass.domain.errors import AlreadyExists, FieldError, Forbidden, Invalid, NotFound
from guestpass.domain.link import EventKind
from guestpass.domain.urls import split_url
from guestpass.web.api.account_models import AccountBody, AccountsBody
from guestpass.web.api.link_models import DeactivatedBody, FoundLinksBody, ShareLinkBody
from guestpass.web.api.models import EnvironmentBody, EnvironmentsBody, RefusedCallsBody
from guestpass.web.api.record_models import HistoryBody, PasswordTriesBody, RefusalsBody, VisitorsBody

# The server may take half a minute to check an environment.
_TIMEOUT: Final = httpx2.Timeout(60.0, connect=10.0)
_ENVIRONMENTS: Final = "/api/environments"
_LINKS: Final = "/api/share-links"
_HOW: Final = "GUESTPASS_URL must be the server's ADMIN_URL, or its PUBLIC_URL where API_ON_PUBLIC is on"
_NO_SUCH: Final = "There is no such "

Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True, repr=False)
class Server:
    """A remote server's URL and the bearer token to use there."""

    url: str
    token: str


def read_server(url: str, token: str) -> Server:
    """Parse GUESTPASS_URL and GUESTPASS_TOKEN; raises Stopped if they are invalid."""
    address = url.strip().rstrip("/")
    if not _is_origin(address):
        raise Stopped(
            WRONG,
            "GUESTPASS_URL must be http:// or https://, a host and perhaps a port, and nothing behind them, such as "
            "https://admin.example.com.",
        )
    token = token.strip()
    if not token:
        raise Stopped(
            WRONG,
            f"GUESTPASS_URL is set ({address}), so GUESTPASS_TOKEN is needed too; `guestpass token` beside that server "
            "makes one. To work on the data directory here, unset GUESTPASS_URL.",
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Stopped(WRONG, "GUESTPASS_TOKEN is no bearer token; set it to what `guestpass token` printed.")
    return Server(address, token)


def _is_origin(address: str) -> bool:
    try:
        parts = split_url(address)
        # The client refuses more, such as names that are invalid under IDNA.
        httpx2.URL(address)
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except (ValueError, httpx2.InvalidURL):
        return False
    return bool(known) and not (parts.path or parts.query or parts.fragment or parts.username)


@asynccontextmanager
async def remote_backend(server: Server) -> AsyncIterator[RemoteBackend]:
    """Connect to the server for one command."""
    headers = {"Authorization": f"Bearer {server.token}", "User-Agent": f"guestpass/{guestpass.__version__}"}
    async with httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=_TIMEOUT) as client:
        yield RemoteBackend(server, client)


class RemoteBackend:
    """The methods of LocalBackend over the API; error responses become the domain's errors.

    Raises Stopped for others, and if the server can't be reached or its response not understood.
    """

    def __init__(self, server: Server, client: httpx2.AsyncClient) -> None:
        self._server = server
        self._client = client

    async def environments(self) -> EnvironmentsBody:
        return await self._read(EnvironmentsBody, "GET", _ENVIRONMENTS)

    async def environment(self, id: str) -> EnvironmentBody:
        return await self._read(EnvironmentBody, "GET", _environment(id), ids={"environment": id})

    async def add_environment(self, new: NewEnvironment) -> EnvironmentBody:
        return await self._read(EnvironmentBody, "POST", _ENVIRONMENTS, json=as_body(new))

    async def change_environment(self, id: str, change: EnvironmentChange) -> EnvironmentBody:
        return await self._read(
            EnvironmentBody, "PATCH", _environment(id), json=as_patch(change.given()), ids={"environment": id}
        )

    async def check_environment(self, id: str) -> EnvironmentBody:
        return await self._read(EnvironmentBody, "POST", f"{_environment(id)}/check", ids={"environment": id})

    async def remove_environment(self, id: str) -> None:
        await self._ask("DELETE", _environment(id), ids={"environment": id})

    async def refused_calls(self, id: str) -> RefusedCallsBody:
        return await self._read(RefusedCallsBody, "GET", f"{_environment(id)}/refused-calls", ids={"environment": id})

    async def accounts(self, environment_id: str) -> AccountsBody:
        return await self._read(
            AccountsBody, "GET", f"{_environment(environment_id)}/accounts", ids={"environment": environment_id}
        )

    async def put_account(
        self, environment_id: str, credentials: SignInCredentials, name: str | None
    ) -> tuple[AccountBody, bool]:
        answer = await self._ask(
            "POST",
            f"{_environment(environment_id)}/accounts",
            json=as_account(credentials, name),
            ids={"environment": environment_id},
        )
        return await self._understand(AccountBody, answer), answer.status_code == 201

    async def remove_account(self, environment_id: str, name: str) -> None:
        ids = {"environment": environment_id, "account": name}
        await self._ask("DELETE", f"{_environment(environment_id)}/accounts/{quote(name, safe='')}", ids=ids)

    async def find_links(self, search: LinkSearch) -> FoundLinksBody:
        return await self._read(FoundLinksBody, "GET", _LINKS, params=as_query(search))

    async def create_link(self, environment_id: str, new: NewLink) -> ShareLinkBody:
        return await self._read(
            ShareLinkBody,
            "POST",
            f"{_environment(environment_id)}/share",
            json=as_body(new),
            ids={"environment": environment_id},
        )

    async def change_link(self, environment_id: str, id: str, change: LinkChange) -> ShareLinkBody:
        return await self._read(
            ShareLinkBody,
            "PATCH",
            _link(environment_id, id),
            json=as_patch(change.given()),
            ids={"environment": environment_id, "share link": id},
        )

    async def rotate_link(self, environment_id: str, id: str) -> ShareLinkBody:
        ids = {"environment": environment_id, "share link": id}
        return await self._read(ShareLinkBody, "POST", f"{_link(environment_id, id)}/rotate", ids=ids)

    async def deactivate_links(self, ids: Sequence[str]) -> DeactivatedBody:
        return await self._read(DeactivatedBody, "POST", f"{_LINKS}/deactivate", json={"ids": list(ids)})

    async def remove_link(self, environment_id: str, id: str) -> None:
        ids = {"environment": environment_id, "share link": id}
        await self._ask("DELETE", f"{_link(environment_id, id)}/permanent", ids=ids)

    async def history(
        self, environment_id: str, id: str, *, kinds: Sequence[EventKind], limit: int, cursor: str | None = None
    ) -> HistoryBody:
        return await self._read(
            HistoryBody,
            "GET",
            f"{_link(environment_id, id)}/history",
            params=_page(limit, cursor) | {"kind": [kind.value for kind in kinds]},
            ids={"environment": environment_id, "share link": id},
        )

    async def visitors(self, environment_id: str, id: str, *, limit: int, cursor: str | None = None) -> VisitorsBody:
        return await self._read(
            VisitorsBody,
            "GET",
            f"{_link(environment_id, id)}/visitors",
            params=_page(limit, cursor),
            ids={"environment": environment_id, "share link": id},
        )

    async def end_visit(self, environment_id: str, id: str, visitor_id: str) -> None:
        ids = {"environment": environment_id, "share link": id, "visitor": visitor_id}
        await self._ask("DELETE", f"{_link(environment_id, id)}/visitors/{quote(visitor_id, safe='')}", ids=ids)

    async def refusals(self, environment_id: str, id: str) -> RefusalsBody:
        ids = {"environment": environment_id, "share link": id}
        return await self._read(RefusalsBody, "GET", f"{_link(environment_id, id)}/refusals", ids=ids)

    async def password_tries(self, environment_id: str, id: str) -> PasswordTriesBody:
        ids = {"environment": environment_id, "share link": id}
        return await self._read(PasswordTriesBody, "GET", f"{_link(environment_id, id)}/password-tries", ids=ids)

    async def unlock(self, environment_id: str, id: str) -> None:
        ids = {"environment": environment_id, "share link": id}
        await self._ask("DELETE", f"{_link(environment_id, id)}/password-tries", ids=ids)

    async def _read(
        self,
        model: type[Body],
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        ids: Mapping[str, str] | None = None,
    ) -> Body:
        return await self._understand(model, await self._ask(method, path, params=params, json=json, ids=ids))

    async def _understand(self, model: type[Body], answer: httpx2.Response) -> Body:
        try:
            return model.model_validate_json(answer.content)
        except ValidationError:
            raise await self._of_another_version() from None

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        ids: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Send a request and return its successful response; `ids` are the path's ids by kind, for NotFound."""
        answer = await self._send(method, path, params=params, json=json)
        if answer.is_success:
            return answer
        problem = _problem_of(answer)
        if problem is None:
            raise self._not_guestpass(answer)
        code, detail = problem["code"], str(problem["detail"])
        if code == "not_found":
            what = detail.removeprefix(_NO_SUCH).removesuffix(".")
            if detail.startswith(_NO_SUCH) and ids is not None and what in ids:
                raise NotFound(what, ids[what])
            raise await self._of_another_version()
        if code == "already_exists" and json is not None and json.get("id"):
            raise AlreadyExists("environment", str(json["id"]))
        if code == "insufficient_scope":
            raise Forbidden(detail.removeprefix("The bearer token lacks the scope ").removesuffix("."))
        if code == "invalid":
            raise Invalid([FieldError(str(each["field"]), str(each["message"])) for each in problem.get("errors", ())])
        raise self._refused(answer.status_code, code, detail, problem.get("requestId"))

    async def _send(
        self, method: str, path: str, *, params: Mapping[str, Any] | None, json: Mapping[str, Any] | None
    ) -> httpx2.Response:
        url = self._server.url
        try:
            return await self._client.request(method, path, params=params, json=json)
        except httpx2.TimeoutException:
            raise Stopped(UNAVAILABLE, f"{url} did not answer in time; is it the right address, and up?") from None
        except httpx2.TransportError as error:
            raise _unreachable(url, error) from None

    def _refused(self, status: int, code: str, detail: str, request_id: object) -> Stopped:
        url = self._server.url
        if code in {"bearer_needed", "bearer_refused"}:
            return Stopped(WRONG, f"{url} does not accept GUESTPASS_TOKEN. {detail} `guestpass token` makes one.")
        if code == "unknown_host":
            return Stopped(WRONG, f"The server at {url} goes by another name. {_HOW}.")
        if code in {"pass_missing", "link_deactivated", "link_expired"}:
            return Stopped(WRONG, f"{url} is for visitors only. {_HOW}.")
        if status >= 500:
            return Stopped(UNAVAILABLE, f"The server could not do it: {detail} Its log knows more about {request_id}.")
        return Stopped(REFUSED, detail)

    def _not_guestpass(self, answer: httpx2.Response) -> Stopped:
        url, location = self._server.url, answer.headers.get("location")
        if answer.is_redirect and location:
            target = urlsplit(str(answer.url.join(location)))
            return Stopped(
                WRONG,
                f"{url} leads on to {target.scheme}://{target.netloc}; set GUESTPASS_URL to that if it is the server.",
            )
        if answer.status_code in {502, 503, 504}:
            return Stopped(
                UNAVAILABLE, f"A proxy at {url} answers in the server's place (status {answer.status_code}); is it up?"
            )
        return Stopped(WRONG, f"{url} does not answer as Guestpass does (status {answer.status_code}). {_HOW}.")

    async def _of_another_version(self) -> Stopped:
        """Return the error for a server of another version, which lacks a call or has another response."""
        ours, theirs = guestpass.__version__, None
        answer = await self._send("GET", "/api/installation", params=None, json=None)
        if answer.is_success and answer.headers.get("content-type", "").startswith("application/json"):
            theirs = answer.json().get("version")
        elif _problem_of(answer) is None:
            return self._not_guestpass(answer)
        which = f"of version {theirs}" if theirs is not None else "of an older version"
        return Stopped(
            WRONG,
            f"The server at {self._server.url} is {which} and does not understand this command, which is of version "
            f"{ours}; use the same version here and there.",
        )


def _unreachable(url: str, error: httpx2.TransportError) -> Stopped:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Stopped(
                WRONG,
                f"The certificate of {url} is not accepted: {cause.verify_message.rstrip('.')}. Correct GUESTPASS_URL, "
                "or name its authority in SSL_CERT_FILE.",
            )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return Stopped(WRONG, f"{url} does not speak TLS as it should; is it http:// in place of https://?")
    if isinstance(error, httpx2.ConnectError):
        return Stopped(
            UNAVAILABLE, f"{url} can't be reached: {_reason(causes)}. Is GUESTPASS_URL right, and the server up?"
        )
    hint = "" if url.startswith("https") else ", unless it is https:// in place of http://"
    return Stopped(UNAVAILABLE, f"{url} broke off in the middle of an answer; try again{hint}.")


def _reason(causes: Sequence[BaseException]) -> str:
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "its name has no address"
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower()
    return "no connection can be made"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and the chain of its causes."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _causes(each)
        error = error.__cause__ or error.__context__


def _problem_of(answer: httpx2.Response) -> dict[str, Any] | None:
    """Parse a response's problem (RFC 9457); None if it is not one of ours."""
    if answer.headers.get("content-type", "").partition(";")[0] != "application/problem+json":
        return None
    try:
        problem = answer.json()
    except ValueError:
        return None
    return problem if isinstance(problem, dict) and "code" in problem and "detail" in problem else None


def _environment(id: str) -> str:
    return f"{_ENVIRONMENTS}/{quote(id, safe='')}"


def _link(environment_id: str, id: str) -> str:
    return f"{_environment(environment_id)}/share/{quote(id, safe='')}"


def _page(limit: int, cursor: str | None) -> dict[str, Any]:
    return {"limit": limit} | ({"cursor": cursor} if cursor is not None else {})
