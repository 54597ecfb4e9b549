"""Compare what the gateway made of bytes with what others make of the same, and of what it sent on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from tests.hostile.fuzz.conversation import Accepted, Answered, Heard
from tests.hostile.fuzz.readers import ANSWER_READERS, REQUEST_READERS, Answer, Request, answers_by_h11, by_h11

from guestpass.domain.environment import Kind


def of_requests(data: bytes, heard: Heard, kind: Kind = Kind.WEB) -> list[str]:
    """Differences about a client's bytes; each a sentence, none where all is well."""
    return [*_between_readers_behind(heard, kind), *_between_us_and_others(data, heard)]


def _between_readers_behind(heard: Heard, kind: Kind) -> list[str]:
    """What went up must be read alike by all, as exactly the requests that the gateway means."""
    found: list[str] = []
    reference: list[Request] = []
    for wire in heard.upstream:
        readings = {name: read(wire) for name, read in REQUEST_READERS.items()}
        ours = readings["h11"].messages
        reference += ours
        found += [
            f"{name} reads {reading} where h11 reads {ours}"
            for name, reading in readings.items()
            # All that the gateway sends is right, so nobody may refuse any of it.
            if reading.messages != ours or (reading.refuses and name != "Werkzeug")
        ]
    forwarded = [each for each in heard.accepted if each.exchange is not None]
    for each, message in zip_longest(forwarded, reference):
        whole = each is not None and each.exchange is not None and each.exchange.request_done
        if each is None or (message is None and whole and any(heard.upstream)):
            return [*found, f"h11 reads {len(reference)} requests where {len(forwarded)} were forwarded"]
        if message is not None:
            found += _about_forwarded(each, message, kind)
    return found


def _about_forwarded(each: Accepted, message: Request, kind: Kind) -> list[str]:
    head, exchange = each.head, each.exchange
    assert exchange is not None
    found: list[str] = []
    if message.method != head.method:
        found.append(f"the method {head.method!r} went up as {message.method!r}")
    if kind is Kind.WEB:
        if message.target != head.target and not head.path.startswith((b"/s-proxy/", b"/share/")):
            found.append(f"the target {head.target!r} went up as {message.target!r}")
        if message.host != head.host:
            found.append(f"the host {head.host!r} went up as {message.host!r}")
        if (message.length, message.chunked) != (head.content_length, head.chunked):
            found.append(f"{(head.content_length, head.chunked)} went up as {(message.length, message.chunked)}")
    if (message.body is not None) is not exchange.request_done:
        found.append(f"a body that is whole: {exchange.request_done} went up as {message.body!r}")
    return found


def _between_us_and_others(data: bytes, heard: Heard) -> list[str]:
    """What came must mean to others what it means to the gateway, as far as both read it.

    A proxy in front of it might be the other. Werkzeug is none: it leaves blanks in values, and bytes of chunks unread.
    """
    sent_up = iter([message for wire in heard.upstream for message in by_h11(wire).messages])
    bodies = [None if each.exchange is None else next(sent_up, None) for each in heard.accepted]
    found: list[str] = []
    for name in ("h11", "gunicorn"):
        reading = REQUEST_READERS[name](data)
        if len(reading.messages) < len(heard.accepted) and not reading.refuses:
            found.append(f"{name} reads {len(reading.messages)} requests where we read {len(heard.accepted)}")
        for each, forwarded, theirs in zip(heard.accepted, bodies, reading.messages, strict=False):
            head = each.head
            ours = (head.method, head.host, head.content_length, head.chunked)
            if (theirs.method, theirs.host.lower(), theirs.length, theirs.chunked) != ours:
                found.append(f"{name} reads {theirs} where we read {ours}")
                break
            if not theirs.target.endswith(head.target) and theirs.target.startswith(b"/"):
                found.append(f"{name} reads the target {theirs.target!r} where we read {head.target!r}")
            is_last = each is heard.accepted[-1]
            whole = forwarded.body if forwarded is not None and forwarded.body is not None else None
            if whole is not None and theirs.body != whole:
                found.append(f"{name} reads the body {theirs.body!r} where {whole!r} went up")
                break
            if is_last and heard.waits and theirs.body is not None:
                found.append(f"{name} has read the body {theirs.body!r} for whose end we wait")
    return found


def of_answers(said: bytes, method: bytes, answered: Answered, *, ends: bool) -> list[str]:
    """Differences about an environment's bytes, and about the answer to the innocent request behind it."""
    methods = [method, b"GET"]
    readings = {name: read(answered.said, methods, answered.ended is not None) for name, read in ANSWER_READERS.items()}
    if method == b"HEAD":
        del readings["llhttp"]
    ours = readings["h11"].messages
    # Of a connection that is cut off, each may think what it likes of a last answer that is not whole.
    found = [
        f"{name} reads {reading} where h11 reads {ours}"
        for name, reading in readings.items()
        if answered.ended != "aborted" and (reading.messages != ours or reading.refuses)
    ]
    if not ours:
        return found
    first, *further = ours
    if further and further[0] not in (Answer(200, b"innocent"), Answer(502, further[0].body)):
        found.append(f"the innocent request was answered with {further[0]}")
    if b"innocent" in answered.said and further != [Answer(200, b"innocent")]:
        found.append(f"the innocent request's answer was read as {further}")
    theirs = answers_by_h11(said, [method], ends).messages
    if first.status == 502 or not theirs or answered.ended == "aborted":
        return found
    if theirs[0].body is not None and theirs[0] != first:
        found.append(f"h11 reads the environment's answer as {theirs[0]}, and what we made of it as {first}")
    return found


def told(differences: Sequence[str], *bytes_of: bytes) -> str:
    """For whoever reads a failure."""
    return "\n".join([*differences, *map(repr, bytes_of)])
