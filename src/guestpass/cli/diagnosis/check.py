"""One thing that was looked at, and how it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """How something is: a warning may be meant so, a problem keeps something from working."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """`check` names what was looked at, `detail` says what is so, `remedy` what to do; empty where all is well."""

    check: str
    result: Result
    detail: str
    remedy: str = ""


def ok(check: str, detail: str) -> Check:
    """It is as it should be."""
    return Check(check, Result.OK, detail)


def warning(check: str, detail: str, remedy: str) -> Check:
    """It may be meant so."""
    return Check(check, Result.WARNING, detail, remedy)


def problem(check: str, detail: str, remedy: str) -> Check:
    """It keeps something from working."""
    return Check(check, Result.PROBLEM, detail, remedy)
