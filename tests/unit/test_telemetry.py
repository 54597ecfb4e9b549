"""Log lines: one form for everything that is said, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog
import structlog.testing

from guestpass import telemetry

SECRETS = [
    "gp_" + "Ab3" * 16 + "x",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjaSJ9.c2lnbmF0dXJlLW9mLWEtdG9rZW4",
    "1.mww43egxn7yyu3xt.1.AbCdEfGhIjKlMnOpQrStUv.1795509189." + "x" * 43,
]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_is_one_object_a_line() -> None:
    stream = io.StringIO()
    telemetry.configure("json", stream=stream)
    telemetry.logger("guestpass.gateway").info("link opened\nreally", link="abc", visits=2)
    [line] = lines_of(stream)
    assert (line["message"], line["link"], line["visits"]) == ("link opened\nreally", "abc", 2)
    assert (line["logger"], line["level"]) == ("guestpass.gateway", "info")
    assert line["timestamp"].endswith("Z")


def test_what_libraries_log_and_warn_takes_the_same_way() -> None:
    stream = io.StringIO()
    telemetry.configure("json", stream=stream)
    logging.getLogger("asyncio").warning("Executing %s took %.1f seconds", "x", 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # Within catch_warnings, pytest's own recorder would otherwise take it.
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("this will go", DeprecationWarning, stacklevel=1)
    first, second = lines_of(stream)
    assert (first["message"], first["level"]) == ("Executing x took 0.5 seconds", "warning")
    assert "this will go" in second["message"]


def test_the_level_holds_for_both_ways() -> None:
    stream = io.StringIO()
    telemetry.configure("json", level=logging.WARNING, stream=stream)
    telemetry.logger("a").info("no")
    logging.getLogger("b").info("no")
    telemetry.logger("a").warning("yes")
    assert [line["message"] for line in lines_of(stream)] == ["yes"]


def test_a_second_call_does_not_double_the_lines() -> None:
    stream = io.StringIO()
    telemetry.configure("json", stream=stream)
    telemetry.configure("json", stream=stream)
    telemetry.logger("a").info("once")
    assert len(lines_of(stream)) == 1


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_is_written(log_format: Literal["json", "console"], secret: str) -> None:
    stream = io.StringIO()
    telemetry.configure(log_format, stream=stream)
    log = telemetry.logger("guestpass")
    log.info("opened /share/%s", secret, target=f"/share/{secret}", cookies=[f"guestpass={secret}"])
    logging.getLogger("uvicorn").info("GET /share/%s", secret)
    try:
        int(secret)
    except ValueError:
        log.exception("failed")
    assert secret not in stream.getvalue()
    assert stream.getvalue().count("[hidden]") >= 4


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_tracebacks_show_no_local_variables(log_format: Literal["json", "console"]) -> None:
    stream = io.StringIO()
    telemetry.configure(log_format, stream=stream)

    def fail(password: str) -> None:
        raise ValueError(len(password))

    try:
        fail("correct " + "horse")
    except ValueError:
        telemetry.logger("guestpass").exception("failed")
        logging.getLogger("asyncio").exception("failed")
    assert stream.getvalue().count("ValueError: 13") == 2
    assert "correct horse" not in stream.getvalue()


def test_people_get_plain_lines_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    telemetry.configure("console", stream=stream)
    telemetry.logger("guestpass").info("listening", port=8080)
    assert "listening" in stream.getvalue()
    assert "port=8080" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_a_fault_is_told_of_when_it_begins_and_then_once_a_minute_with_how_often_it_happened() -> None:
    now = [100.0]
    with structlog.testing.capture_logs() as told:
        faults = telemetry.Faults(telemetry.logger("guestpass.gateway"), lambda: now[0])
        for number in range(500):
            faults.warn("upstream_unreachable", "shop", request_id=f"a-{number}")
        faults.warn("upstream_unreachable", "another", request_id="b")
        assert [(line["request_id"], line.get("again")) for line in told] == [("a-0", None), ("b", None)]
        now[0] += telemetry.AGAIN_SECONDS
        faults.warn("upstream_unreachable", "shop", request_id="a-500")
        assert [(line["request_id"], line.get("again")) for line in told[2:]] == [("a-500", 500)]
        # What came to be known of it last is said when nothing more comes.
        faults.warn("upstream_unreachable", "shop", request_id="a-501")
        faults.sweep()
        assert len(told) == 3
        now[0] += telemetry.AGAIN_SECONDS
        faults.sweep()
        assert [(line["request_id"], line["again"]) for line in told[3:]] == [("a-501", 1)]
        now[0] += telemetry.AGAIN_SECONDS
        faults.sweep()
        faults.warn("upstream_unreachable", "shop", request_id="a-502")
        assert [(line["request_id"], line.get("again")) for line in told[4:]] == [("a-502", None)]
