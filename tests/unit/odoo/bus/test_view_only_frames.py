from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Message, Ping, Pong, TextMessage

from guestpass.odoo.bus.frames import MAX_SUBSCRIPTION, ClientFrames, ViewOnlyFrames


@dataclass
class CountingEntropy:
    """Masks that are told apart: 00000001, 00000002 and so on."""

    given: list[bytes] = field(default_factory=list)

    def bytes(self, count: int) -> bytes:
        self.given.append((len(self.given) + 1).to_bytes(count))
        return self.given[-1]


def subscribe(
    channels: object = ("odoo-presence-res.partner_2",), last: object = 136, **more: object
) -> dict[str, Any]:
    named = list(channels) if isinstance(channels, tuple) else channels
    return {"event_name": "subscribe", "data": {"channels": named, "last": last, **more}}


def from_client(*events: Event) -> bytes:
    writer = Connection(ConnectionType.CLIENT)
    return b"".join(writer.send(event) for event in events)


def text(value: object) -> TextMessage:
    return TextMessage(json.dumps(value))


def heard(data: bytes) -> list[Any]:
    """What a server that is not ours makes of the bytes."""
    reader = Connection(ConnectionType.SERVER)
    reader.receive_data(data)
    seen: list[Any] = []
    for event in reader.events():
        if isinstance(event, Message):
            assert event.message_finished
            seen.append(json.loads(event.data))
        elif isinstance(event, Ping | Pong):
            seen.append((type(event).__name__, bytes(event.payload)))
        elif isinstance(event, CloseConnection):
            seen.append(("Close", event.code, event.reason))
    return seen


def passed(frames: ViewOnlyFrames, data: bytes, cuts: Sequence[int] = ()) -> list[Any]:
    pieces = [data[start:end] for start, end in pairwise([0, *sorted(cuts), len(data)])]
    return heard(b"".join(frames.pass_on(piece) for piece in pieces))


def test_a_subscription_and_control_frames_pass_and_presence_does_not() -> None:
    frames = ViewOnlyFrames(CountingEntropy())
    said = from_client(
        text(subscribe()),
        text({"event_name": "update_presence", "data": {"inactivity_period": 570, "im_status_ids_by_model": {}}}),
        Ping(b"are you there"),
        Pong(b""),
        text(subscribe((), 0)),
        CloseConnection(1001, "bye"),
    )
    assert passed(frames, said) == [
        subscribe(),
        ("Ping", b"are you there"),
        ("Pong", b""),
        subscribe((), 0),
        ("Close", 1001, "bye"),
    ]
    assert frames.refused is None


def test_what_passes_is_written_anew_under_a_mask_of_ours() -> None:
    entropy = CountingEntropy()
    frames = ViewOnlyFrames(entropy)
    spelled = b'{ "data":{"last":\t7,"ch\\u0061nnels":["a"],"x":1},"event_name":"subscribe" ,"y":[2]}'
    sent = frames.pass_on(from_client(TextMessage(spelled.decode())))
    assert entropy.given == [b"\0\0\0\1"]
    assert sent[2:6] == b"\0\0\0\1"
    unmasked = bytes(byte ^ (1 if i % 4 == 3 else 0) for i, byte in enumerate(sent[6:]))
    assert unmasked == b'{"event_name":"subscribe","data":{"channels":["a"],"last":7}}'


def test_the_sign_of_life_of_19s_client_is_left_out_and_the_socket_stays() -> None:
    said = from_client(BytesMessage(b"\0"), Ping(b"?"), BytesMessage(b"\0"), text(subscribe()))
    for cut in range(len(said)):
        frames = ViewOnlyFrames(CountingEntropy())
        assert passed(frames, said, [cut]) == [("Ping", b"?"), subscribe()]
        assert frames.refused is None


@pytest.mark.parametrize("size", [125, 126, 127, 60_000])
def test_subscriptions_of_any_size_are_whole(size: int) -> None:
    wanted = subscribe(("c" * size,))
    assert passed(ViewOnlyFrames(CountingEntropy()), from_client(text(wanted))) == [wanted]


def test_a_message_in_fragments_becomes_one_frame() -> None:
    written = json.dumps(subscribe())
    said = from_client(
        TextMessage(written[:9], message_finished=False),
        Ping(b"?"),
        TextMessage(written[9:20], message_finished=False),
        TextMessage(written[20:]),
    )
    frames = ViewOnlyFrames(CountingEntropy())
    for cut in range(len(said)):
        assert passed(ViewOnlyFrames(CountingEntropy()), said, [cut]) == [("Ping", b"?"), subscribe()]
    assert passed(frames, said, range(len(said))) == [("Ping", b"?"), subscribe()]


@pytest.mark.parametrize(
    "said",
    [
        {"event_name": "update_presence", "data": {}},
        {"event_name": "Subscribe", "data": {"channels": [], "last": 1}},
        {"event_name": "subscribe"},
        {"event_name": ["subscribe"], "data": {"channels": [], "last": 1}},
        {"event_name": "subscribe", "data": []},
        {"event_name": "subscribe", "data": {"channels": []}},
        {"event_name": "subscribe", "data": {"last": 1}},
        subscribe("abc"),
        subscribe({"a": 1}),
        subscribe([["a"]]),
        subscribe([1]),
        subscribe(last=True),
        subscribe(last="1"),
        subscribe(last=None),
        subscribe(last=1.5),
        {"event_name": "mail.channel/typing", "data": {"channels": [], "last": 1}},
        {},
    ],
)
def test_everything_else_is_left_out_in_silence(said: object) -> None:
    frames = ViewOnlyFrames(CountingEntropy())
    assert passed(frames, from_client(text(said), text(subscribe()))) == [subscribe()]
    assert frames.refused is None


HOSTILE: dict[str, bytes] = {
    "binary": from_client(BytesMessage(json.dumps(subscribe()).encode())),
    "binary and empty": from_client(BytesMessage(b"")),
    "binary and another byte": from_client(BytesMessage(b"\1")),
    "binary and two bytes": from_client(BytesMessage(b"\0\0")),
    "binary in fragments": from_client(
        BytesMessage(b"\0", message_finished=False), BytesMessage(b"", message_finished=True)
    ),
    "no JSON": from_client(TextMessage("subscribe")),
    "empty": from_client(TextMessage("")),
    "several at once": from_client(text([subscribe()])),
    "two documents": from_client(TextMessage(json.dumps(subscribe()) * 2)),
    "a name twice": from_client(
        TextMessage('{"event_name":"subscribe","event_name":"update_presence","data":{"channels":[],"last":1}}')
    ),
    "no UTF-8": b"\x81\x83\0\0\0\0{\xff}",
    "very deep": from_client(TextMessage('{"a":' + "[" * 5000 + "]" * 5000 + "}")),
    "too long": from_client(text(subscribe(("c" * MAX_SUBSCRIPTION,)))),
    "too long in fragments": from_client(
        TextMessage('{"a":"' + "b" * 40_000, message_finished=False), TextMessage("b" * 40_000 + '"}')
    ),
    "a length of exabytes": b"\x81\xff" + (1 << 62).to_bytes(8) + b"abcd",
    "not masked": b"\x81\x02{}",
    "a reserved bit": b"\xc1\x82\0\0\0\0{}",
    "a reserved kind": b"\x83\x82\0\0\0\0{}",
    "a continuation of nothing": b"\x80\x82\0\0\0\0{}",
    "a message within a message": b"\x01\x81\0\0\0\0{\x81\x82\0\0\0\0{}",
    "a long Ping": b"\x89\xfe\x00\x7e\0\0\0\0" + bytes(126),
}


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("step", [1, 7, 1_000_000])
def test_what_the_client_never_sends_ends_the_socket(what: str, step: int) -> None:
    frames = ViewOnlyFrames(CountingEntropy())
    said = from_client(text(subscribe())) + HOSTILE[what] + from_client(text(subscribe((), 5)), Ping(b"x"))
    assert passed(frames, said, range(0, len(said), step)) == [subscribe()]
    assert frames.refused
    assert frames.pass_on(from_client(text(subscribe()))) == b""


def test_nothing_passes_behind_a_close() -> None:
    frames = ViewOnlyFrames(CountingEntropy())
    assert passed(frames, from_client(CloseConnection(1000)) + from_client(text(subscribe()))) == [("Close", 1000, "")]


@given(
    st.lists(
        st.one_of(
            st.builds(subscribe, st.lists(st.text(max_size=5), max_size=3), st.integers(0, 2**53)),
            st.dictionaries(st.text(max_size=12), st.text(max_size=5), max_size=2),
        ),
        max_size=5,
    ),
    st.data(),
)
def test_any_split_passes_the_subscriptions_and_nothing_else(said: list[dict[str, Any]], data: st.DataObject) -> None:
    stream = from_client(*map(text, said))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    frames = ViewOnlyFrames(CountingEntropy())
    assert passed(frames, stream, cuts) == [each for each in said if each.get("event_name") == "subscribe"]
    assert frames.refused is None


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_are_borne_and_what_passes_is_a_clients_frames(pieces: list[bytes]) -> None:
    frames, follower = ViewOnlyFrames(CountingEntropy()), ClientFrames()
    for piece in pieces:
        follower.feed(frames.pass_on(piece))
    assert not follower.lost
    assert follower.at_boundary or follower.closing
