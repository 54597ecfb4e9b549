from __future__ import annotations

import json
import tracemalloc
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Message, Ping, Pong, TextMessage

from guestpass.odoo.bus.frames import (
    MAX_MESSAGE,
    MAX_SUBSCRIPTION,
    ClientFrames,
    ServerFrames,
    notification,
    resume_id,
    text_frame,
)
from guestpass.wire.websocket_frames import Frames, close_frame

OURS = notification(137, "Share link", "This share link expires in 5 minutes.")


def bus(*ids: object) -> str:
    return json.dumps([{"id": id, "message": {"type": "mail.record/insert", "payload": {"x": "ä"}}} for id in ids])


def subscribe(last: object, event_name: str = "subscribe") -> str:
    return json.dumps({"event_name": event_name, "data": {"channels": ["odoo-presence-res.partner_2"], "last": last}})


@dataclass
class Stream:
    """Bytes that wsproto wrote, and where in them another message may begin."""

    writer: Connection
    data: bytes = b""
    boundaries: list[int] = field(default_factory=list)
    open_message: bool = False

    def send(self, event: Event) -> None:
        self.data += self.writer.send(event)
        if isinstance(event, Message):
            self.open_message = not event.message_finished
        if not self.open_message and not isinstance(event, CloseConnection):
            self.boundaries.append(len(self.data))


def written(events: list[Event], side: ConnectionType) -> Stream:
    stream = Stream(Connection(side))
    for event in events:
        stream.send(event)
    return stream


def from_server(*events: Event) -> bytes:
    return written(list(events), ConnectionType.SERVER).data


def from_client(*events: Event) -> bytes:
    return written(list(events), ConnectionType.CLIENT).data


def read(data: bytes) -> list[object]:
    """What a client that is not ours makes of a server's bytes; a fragmented message counts as one."""
    reader = Connection(ConnectionType.CLIENT)
    reader.receive_data(data)
    seen: list[object] = []
    text: list[Any] = []
    for event in reader.events():
        if isinstance(event, Message):
            text.append(event.data)
            if event.message_finished:
                seen.append(type(text[0])().join(text))
                text = []
        elif isinstance(event, CloseConnection):
            seen.append(("close", event.code))
    return seen


def follow(frames: Frames, data: bytes) -> list[int]:
    """Feed all of `data`, step by step; returns its boundaries."""
    found: list[int] = []
    at = 0
    while at < len(data):
        found += frames.feed(data, at)
        at = frames.position
    return found


def fed(frames: ServerFrames | ClientFrames, data: bytes, cuts: list[int]) -> list[int]:
    """Feed `data` in the pieces that `cuts` make; returns the boundaries as offsets in all of it."""
    found: list[int] = []
    for start, end in pairwise([0, *sorted(cuts), len(data)]):
        piece = follow(frames, data[start:end])
        found.extend(start + offset for offset in piece)
        assert frames.at_boundary is (piece[-1:] == [end - start] if end > start else frames.at_boundary)
    return found


_PAYLOADS = st.one_of(
    st.text(max_size=20),
    st.sampled_from([bus(1), bus(5, 7), bus(2**40), bus(), "[]", "{}", "null", "[1]", "x" * 126, "ü" * 40_000]),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[Event]:
    events: list[Event] = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["text", "binary", "ping", "pong"]))
        if kind == "text":
            parts = draw(st.lists(_PAYLOADS, min_size=1, max_size=4))
            for index, part in enumerate(parts):
                events.append(TextMessage(part, message_finished=index == len(parts) - 1))
                if index < len(parts) - 1 and draw(st.booleans()):
                    events.append(Ping(draw(st.binary(max_size=125))))
        elif kind == "binary":
            events.append(BytesMessage(draw(st.binary(max_size=300))))
        else:
            payload = draw(st.binary(max_size=125))
            events.append(Ping(payload) if kind == "ping" else Pong(payload))
    if draw(st.booleans()):
        events.append(CloseConnection(1001, "bye"))
    return events


@given(conversations(), st.data())
def test_a_second_reader_and_any_split_agree(events: list[Event], data: st.DataObject) -> None:
    stream = written(events, ConnectionType.SERVER)
    cuts = data.draw(st.lists(st.integers(0, len(stream.data)), max_size=8))
    whole, pieces = ServerFrames(), ServerFrames()
    assert fed(pieces, stream.data, cuts) == stream.boundaries
    assert follow(whole, stream.data) == stream.boundaries
    assert not whole.lost
    assert (whole.last_id, whole.unsure, whole.closing, whole.at_boundary) == (
        pieces.last_id,
        pieces.unsure,
        pieces.closing,
        pieces.at_boundary,
    )


@given(conversations())
def test_a_message_put_in_at_any_boundary_is_read_as_one_more(events: list[Event]) -> None:
    stream = written(events, ConnectionType.SERVER)
    plain = read(stream.data)
    for offset in [0, *follow(ServerFrames(), stream.data)]:
        seen = read(stream.data[:offset] + text_frame(OURS) + stream.data[offset:])
        at = len(read(stream.data[:offset]))
        assert seen == [*plain[:at], OURS.decode(), *plain[at:]]


@given(conversations(), st.data())
def test_the_clients_side_is_followed_in_any_split(events: list[Event], data: st.DataObject) -> None:
    stream = written([TextMessage(subscribe(42)), *events], ConnectionType.CLIENT)
    cuts = data.draw(st.lists(st.integers(0, len(stream.data)), max_size=8))
    frames = ClientFrames()
    assert fed(frames, stream.data, cuts) == stream.boundaries
    assert (frames.last, frames.lost) == (42, False)


def test_byte_by_byte() -> None:
    stream = written(
        [
            TextMessage(bus(1)),
            Ping(b"x"),
            TextMessage("[" + " " * 200, message_finished=False),
            Ping(b""),
            TextMessage(bus(2, 3)[1:] + " " * 70_000),
            CloseConnection(1000),
        ],
        ConnectionType.SERVER,
    )
    frames = ServerFrames()
    assert fed(frames, stream.data, list(range(len(stream.data)))) == stream.boundaries
    assert frames.last_id == 3


def test_a_message_may_be_put_in_at_once_and_between_messages_only() -> None:
    frames = ServerFrames()
    seen = [frames.at_boundary]
    message = from_server(TextMessage(bus(1)))
    for piece in (message[:1], message[1:-1], message[-1:]):
        follow(frames, piece)
        seen.append(frames.at_boundary)
    assert seen == [True, False, False, True]


def test_an_empty_message_is_complete_with_its_head() -> None:
    frames = ServerFrames()
    assert follow(frames, b"\x81\x00\x89\x00") == [2, 4]


def test_no_message_may_be_put_in_between_fragments() -> None:
    frames = ServerFrames()
    assert follow(frames, from_server(TextMessage("[", message_finished=False), Ping(b"x"))) == []
    assert not frames.at_boundary


@pytest.mark.parametrize("close", [close_frame(1001), close_frame(1000, "OUTDATED_VERSION"), b"\x88\x00"])
def test_nothing_may_follow_a_close(close: bytes) -> None:
    frames = ServerFrames()
    follow(frames, from_server(TextMessage(bus(1))))
    follow(frames, close[:2])
    assert frames.closing
    assert not frames.at_boundary
    assert follow(frames, close[2:]) == []
    assert follow(frames, from_server(TextMessage(bus(2)))) == []
    assert not frames.at_boundary
    assert frames.last_id == 1


@pytest.mark.parametrize(
    "broken",
    [
        from_client(TextMessage(bus(9))),  # masked
        b"\xc1\x00",  # a reserved bit, as compression would set it
        b"\xa1\x00",
        b"\x91\x00",
        b"\x83\x00",  # a reserved kind
        b"\x8b\x00",
        b"\x80\x00",  # goes on with a message that has not begun
        b"\x01\x00\x81\x00",  # begins another before the first has ended
        b"\x01\x00\x82\x00",
        b"\x09\x00",  # a Ping in fragments
        b"\x89\x7e\x00\x7e",  # a Ping that is too long
        b"\x88\x7f",
        b"\x81\x7f" + b"\xff" * 8,  # longer than a length can be
    ],
    ids=lambda _: "broken",
)
def test_after_bytes_that_are_no_frames_nothing_is_put_in(broken: bytes) -> None:
    for cut in range(len(broken) + 1):
        frames = ServerFrames()
        follow(frames, from_server(TextMessage(bus(1))))
        follow(frames, broken[:cut])
        follow(frames, broken[cut:])
        assert frames.lost
        assert follow(frames, from_server(TextMessage(bus(2)), TextMessage(bus(3)))) == []
        assert not frames.at_boundary
        assert frames.last_id == 1


def test_a_client_must_mask() -> None:
    frames = ClientFrames()
    follow(frames, from_server(TextMessage(subscribe(5))))
    assert frames.lost
    assert frames.last is None


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_are_borne(pieces: list[bytes]) -> None:
    for frames in (ServerFrames(), ClientFrames()):
        for piece in pieces:
            boundaries = follow(frames, piece)
            assert all(0 < offset <= len(piece) for offset in boundaries)
            assert not (frames.lost and frames.at_boundary)


@pytest.mark.parametrize(
    ("texts", "last"),
    [
        ([bus(137)], 137),
        ([bus(137, 138)], 138),
        ([bus(137), bus(140)], 140),
        # The client goes on from the last one that it got, whatever its number.
        ([bus(140), bus(137)], 137),
        ([bus(0)], 0),
        ([bus(137), "[]"], 137),
        ([bus(137), "{}", "null", "7", '"x"', "", "not json", "[7]", '[{"message":{}}]'], 137),
        ([bus(137), bus(True), bus(None), bus("138"), bus(1.5), "[" * 100_000], 137),
        ([], None),
        (["[]"], None),
    ],
)
def test_the_last_id_is_the_one_that_the_client_knows(texts: list[str], last: int | None) -> None:
    frames = ServerFrames()
    follow(frames, from_server(*map(TextMessage, texts)))
    assert frames.last_id == last
    assert not frames.unsure


def test_a_binary_message_has_no_id() -> None:
    frames = ServerFrames()
    follow(frames, from_server(TextMessage(bus(1)), BytesMessage(bus(2).encode())))
    assert frames.last_id == 1
    assert not frames.unsure


def padded(id: int, size: int) -> str:
    text = json.dumps([{"id": id, "message": ""}])
    return text.replace('""', '"' + "a" * (size - len(text)) + '"')


def test_a_message_that_is_too_long_to_be_read_leaves_the_id_unknown_until_the_next() -> None:
    server, client = ServerFrames(), ClientFrames()
    follow(server, from_server(TextMessage(padded(5, MAX_MESSAGE))))
    assert resume_id(server, client) == 5
    follow(server, from_server(TextMessage(padded(6, MAX_MESSAGE + 1))))
    assert server.at_boundary
    assert resume_id(server, client) is None
    follow(server, from_server(TextMessage(bus(7))))
    assert resume_id(server, client) == 7


def test_fragments_count_together() -> None:
    frames = ServerFrames()
    text = padded(6, MAX_MESSAGE + 1)
    parts = [text[: MAX_MESSAGE // 2], text[MAX_MESSAGE // 2 : -1], text[-1:]]
    follow(frames, from_server(*(TextMessage(part, message_finished=part == "]") for part in parts)))
    assert frames.unsure
    assert frames.at_boundary


def test_the_beginning_of_a_message_that_is_too_long_is_not_taken_for_all_of_it() -> None:
    frames = ServerFrames()
    follow(frames, from_server(TextMessage(bus(9), message_finished=False), TextMessage(" " * MAX_MESSAGE)))
    assert frames.last_id is None
    assert frames.unsure


def test_a_very_long_message_costs_nothing() -> None:
    frames = ServerFrames()
    piece = bytes(1024 * 1024)
    tracemalloc.start()
    try:
        follow(frames, b"\x81\x7f" + (64 * len(piece)).to_bytes(8))
        for _ in range(64):
            assert not frames.at_boundary
            follow(frames, piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert frames.at_boundary
    assert peak < 100_000


@pytest.mark.parametrize(
    ("texts", "last"),
    [
        ([subscribe(136)], 136),
        ([subscribe(0)], 0),
        ([subscribe(136), subscribe(140)], 140),
        ([subscribe(136), subscribe(150, "update_presence"), '{"event_name":"subscribe"}', "subscribe"], 136),
        (
            [subscribe(136), '["subscribe"]', '{"event_name":"subscribe","data":[]}', subscribe(True), subscribe("9")],
            136,
        ),
        ([subscribe(136), '{"event_name":"subscribe","data":{"channels":[]}}'], 136),
        ([subscribe(136), subscribe(150) + " " * MAX_SUBSCRIPTION], 136),
        ([], None),
    ],
)
def test_the_latest_subscription_says_where_the_client_goes_on(texts: list[str], last: int | None) -> None:
    frames = ClientFrames()
    follow(frames, from_client(*map(TextMessage, texts)))
    assert frames.last == last


def test_a_subscription_may_come_in_fragments_with_masks_of_their_own() -> None:
    text = subscribe(136)
    frames = ClientFrames()
    follow(frames, from_client(TextMessage(text[:9], message_finished=False), Ping(b"?"), TextMessage(text[9:])))
    assert frames.last == 136


def test_our_message_takes_the_last_id_seen_else_the_subscriptions_else_none() -> None:
    server, client = ServerFrames(), ClientFrames()
    assert resume_id(server, client) is None
    follow(client, from_client(TextMessage(subscribe(136))))
    assert resume_id(server, client) == 136
    follow(server, from_server(TextMessage(bus(137))))
    assert resume_id(server, client) == 137
    follow(client, from_client(TextMessage(subscribe(136))))
    assert resume_id(server, client) == 137


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_our_text_frame_is_read_by_another(size: int) -> None:
    frame = text_frame(b"a" * size)
    assert read(frame) == ["a" * size]
    assert follow(ServerFrames(), frame) == [len(frame)]


def test_our_close_is_read_by_another() -> None:
    assert read(close_frame(1001)) == [("close", 1001)]
    assert read(close_frame(1001, "über")) == [("close", 1001)]
    assert read(close_frame(1001, "a" * 123)) == [("close", 1001)]
    with pytest.raises(ValueError, match="123"):
        close_frame(1001, "ü" * 62)


def test_a_notification_is_what_the_web_client_shows() -> None:
    assert json.loads(notification(12, "Shared “demo”", "Ends soon")) == [
        {
            "id": 12,
            "message": {
                "type": "simple_notification",
                "payload": {"title": "Shared “demo”", "message": "Ends soon", "type": "warning", "sticky": True},
            },
        }
    ]
