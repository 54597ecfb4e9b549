"""A tunnel with a stage that follows its frames, between a client's connection and an upstream's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast
from unittest.mock import Mock

import pytest
from tests.unit.gateway.playbook import Playbook, Wire, playing

from guestpass.gateway.limits import LimitSettings
from guestpass.wire.client_connection import ClientConnection
from guestpass.wire.stages import TunnelControl
from guestpass.wire.tunnel import Tunnel
from guestpass.wire.upstream_connection import UpstreamConnection
from guestpass.wire.websocket_frames import Frames
from guestpass.wire.write_buffer import FlushQueue

WORD = b"\x81\x02hi"
PART = b"\x81\x08un"
SAID = b"\x89\x01!"


@dataclass
class Following:
    """A stage that notes what it is told, and passes on all but the first byte."""

    link_ended: str = "the link has ended"
    idle: str = "nothing was said"
    told: list[str] = field(default_factory=list)
    tunnel: TunnelControl | None = None

    def follow_upstream(self) -> Frames:
        return Frames(masked=False)

    def opened(self, tunnel: TunnelControl) -> None:
        self.tunnel = tunnel
        self.told.append("opened")

    def from_client(self, data: bytes, start: int) -> int:
        assert self.tunnel is not None
        self.tunnel.to_upstream(data[start + 1 :])
        return len(data) - 1

    def closed(self) -> None:
        self.told.append("closed")


@dataclass
class Stage:
    book: Playbook
    upstream: Wire
    following: Following
    tunnel: Tunnel

    @property
    def client(self) -> Wire:
        return self.book.client

    async def say(self, *pieces: bytes) -> bytes:
        """What the client gets while the upstream says this."""
        for piece in pieces:
            self.upstream.deliver(piece)
        await self.book.settle()
        return self.client.take()


@asynccontextmanager
async def tunnelled(limits: LimitSettings | None = None) -> AsyncIterator[Stage]:
    async with playing(limits) as book:
        connection = UpstreamConnection(FlushQueue(book.gateway.runtime.loop))
        upstream, following = Wire(connection), Following()
        client, limits_of = cast("ClientConnection", book.client.protocol), book.gateway.services.limits
        client._owner = Mock(live=None, charge=lambda cost, **_: limits_of.take_request(client.peer, cost=cost) is None)
        tunnel = Tunnel(client, book.gateway.runtime, connection, None, following)
        client.tunnel_opened(tunnel)
        tunnel.begin()
        yield Stage(book, upstream, following, tunnel)
        if not tunnel.is_over:
            tunnel.cut()


def closing(said: bytes) -> tuple[int, str]:
    """Code and reason of a Close."""
    assert said[0] == 0x88
    assert said[1] == len(said) - 2
    return int.from_bytes(said[2:4]), said[4:].decode()


async def test_the_stage_says_what_goes_up_and_how_much_it_took() -> None:
    async with tunnelled() as stage:
        assert stage.following.told == ["opened"]
        assert stage.tunnel.from_client(b"-abcd", 1) == 4
        await stage.book.settle()
        assert stage.upstream.take() == b"bcd"


@pytest.mark.parametrize("how", ["cut", "timed_out"])
async def test_a_tunnel_is_closed_in_order_with_the_stages_reason(how: str) -> None:
    async with tunnelled() as stage:
        await stage.say(WORD)
        getattr(stage.tunnel, how)()
        await stage.book.settle()
        reason = stage.following.link_ended if how == "cut" else stage.following.idle
        assert closing(stage.client.take()) == (1001, reason)
        assert stage.following.told == ["opened", "closed"]
        assert stage.upstream.aborted
        assert stage.tunnel.is_over


@pytest.mark.parametrize("how", ["cut", "timed_out"])
async def test_in_the_middle_of_a_message_it_is_broken_off(how: str) -> None:
    async with tunnelled() as stage:
        assert await stage.say(PART) == PART
        getattr(stage.tunnel, how)()
        await stage.book.settle()
        assert stage.client.take() == b""
        assert stage.client.aborted


async def test_what_is_said_stands_between_two_messages() -> None:
    async with tunnelled() as stage:
        await stage.say(WORD)
        stage.tunnel.send_frame(SAID)
        await stage.book.settle()
        assert stage.client.take() == SAID
        await stage.say(PART)
        stage.tunnel.send_frame(SAID)
        assert await stage.say(b"") == b""
        assert await stage.say(b"finish" + WORD) == b"finish" + SAID + WORD
        # Once is enough.
        assert await stage.say(WORD) == WORD


async def test_too_many_frames_of_the_client_are_a_violation_of_policy() -> None:
    async with tunnelled(LimitSettings(requests_per_address="100/minute")) as stage:
        stage.tunnel.charge(64 * 50)
        await stage.book.settle()
        assert stage.client.take() == b""
        while not stage.tunnel.is_over:
            stage.tunnel.charge(64)
        await stage.book.settle()
        assert closing(stage.client.take()) == (1008, "Too many frames.")


async def test_a_client_that_leaves_lets_the_upstream_have_its_last_word() -> None:
    async with tunnelled() as stage:
        stage.tunnel.to_upstream(WORD)
        stage.client.break_off()
        await stage.book.settle()
        assert stage.upstream.take() == WORD
        assert stage.upstream.lost
        assert not stage.upstream.aborted
        assert stage.following.told == ["opened", "closed"]


async def test_an_upstream_that_leaves_lets_the_client_have_its_last_word() -> None:
    async with tunnelled() as stage:
        stage.upstream.deliver(WORD)
        stage.upstream.deliver_end()
        await stage.book.settle()
        assert stage.client.take() == WORD
        assert stage.client.finished_writing
        assert not stage.client.lost
        assert stage.following.told == ["opened", "closed"]
