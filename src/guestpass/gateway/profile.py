"""What is different for each kind of environment: a profile for each environment, and the one that changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from guestpass.app.notices import NoticeRenderer
from guestpass.app.visits import VisitLog
from guestpass.domain.environment import Environment, Kind
from guestpass.gateway.context import ForwardedRequest
from guestpass.gateway.decisions import Answer, Forward
from guestpass.gateway.head_rewriting import ForwardedVisitor, request_head
from guestpass.gateway.upstream_table import EnvironmentUpstreams, UpstreamTable
from guestpass.wire.exchange import Exchange
from guestpass.wire.heads import RequestHead
from guestpass.wire.runtime import Runtime

_MOST: Final = 10_000


class Profile(Protocol):
    """How the requests for one environment are treated, as it is set up at present.

    `announced_limit` is how many bytes a body may announce, None where `forward` looks at that itself. `learn` is
    called with the name of a cookie that the environment turns out to set HttpOnly. `refusal` says why an admitted
    request must not reach the environment, None where it may; it is None itself where all may.
    """

    environment: Environment
    announced_limit: int | None
    learn: Callable[[bytes], None]
    refusal: Callable[[Forward], Answer | None] | None

    def forward(self, request: ForwardedRequest) -> None:
        """Send an admitted request to the environment, or answer it."""
        ...


class ProfileMaker(Protocol):
    """Makes the profiles of all environments of one kind."""

    def profile_of(self, environment: Environment, learn: Callable[[bytes], None]) -> Profile:
        """The profile of an environment."""
        ...

    def notices_for(self, head: RequestHead) -> NoticeRenderer | None:
        """What renders notices to the client that sent this head; None where nothing is special."""
        ...

    def close(self) -> None:
        """Let go of what the profiles use."""
        ...


class Profiles:
    """Finds an environment's profile: made once for each environment, and anew when it was changed.

    `makers` are those of each kind. Who shows the pass of a link that is gone may have come from any environment:
    `kind_of_gone` says as whose visitor they are told so.
    """

    def __init__(self, makers: Mapping[Kind, ProfileMaker], visits: VisitLog, *, kind_of_gone: Kind) -> None:
        self._makers = makers
        self._visits = visits
        self._gone = makers[kind_of_gone]
        self._profiles: dict[int, Profile] = {}

    def of(self, environment: Environment) -> Profile:
        """The environment's profile; found by the very object, which is the same for request after request."""
        profile = self._profiles.get(id(environment))
        if profile is None or profile.environment is not environment:
            if len(self._profiles) > _MOST:
                self._profiles.clear()
            maker = self._makers[environment.kind]
            profile = self._profiles[id(environment)] = maker.profile_of(environment, self._learner(environment))
        return profile

    def notices_for(self, environment: Environment | None, head: RequestHead) -> NoticeRenderer | None:
        """What renders notices to a visitor of this environment, None for one that is gone."""
        maker = self._makers[environment.kind] if environment is not None else self._gone
        return maker.notices_for(head)

    def close(self) -> None:
        """Let go of what profiles use."""
        for maker in self._makers.values():
            maker.close()

    def _learner(self, environment: Environment) -> Callable[[bytes], None]:
        key = environment.key
        return lambda name: self._visits.learned(key, name.decode("latin-1"))


class PlainProfile:
    """Requests and answers pass as they are, but for their heads."""

    __slots__ = ("_response_timeout", "_runtime", "_upstreams", "announced_limit", "environment", "learn", "refusal")

    def __init__(
        self,
        runtime: Runtime,
        environment: Environment,
        upstreams: EnvironmentUpstreams,
        learn: Callable[[bytes], None],
    ) -> None:
        self.environment = environment
        self.announced_limit: int | None = environment.body_limit
        self.learn = learn
        self.refusal: Callable[[Forward], Answer | None] | None = None
        self._runtime = runtime
        self._upstreams = upstreams
        self._response_timeout = environment.response_timeout.total_seconds()

    def forward(self, request: ForwardedRequest) -> None:
        """Send the request as it is."""
        client, facts, head, target = request.client, request.facts, request.head, request.target
        visitor = ForwardedVisitor(facts.address.encode(), facts.named, facts.host.scheme)
        sent = request_head(head, target, visitor, cookie=request.cookie, upgrade=facts.upgrade)
        client.start(
            Exchange(
                client,
                self._runtime,
                head,
                sent,
                self._upstreams.of(target),
                request.response,
                body_limit=self.environment.body_limit,
                response_timeout=self._response_timeout,
                upgrade=facts.upgrade,
                owner=request,
                holder=request.holder,
            ),
            request,
        )


class PlainProfiles:
    """Makes plain profiles."""

    BUS_PATHS: Final = (b"/websocket",)

    def __init__(self, runtime: Runtime, upstreams: UpstreamTable) -> None:
        self._runtime = runtime
        self._upstreams = upstreams

    def profile_of(self, environment: Environment, learn: Callable[[bytes], None]) -> Profile:
        """The profile of an environment."""
        upstreams = self._upstreams.upstreams_of(environment, self.BUS_PATHS)
        return PlainProfile(self._runtime, environment, upstreams, learn)

    def notices_for(self, head: RequestHead) -> NoticeRenderer | None:  # noqa: ARG002 - as every maker has it
        """Nothing special."""
        return None

    def close(self) -> None:
        """Nothing to let go of."""
