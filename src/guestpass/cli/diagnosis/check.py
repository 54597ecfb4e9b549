"""The result of one check of `guestpass doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """A warning may be intended; a problem keeps something from working."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """`check` names what was checked, `detail` the finding, `remedy` what to do about it (empty if ok)."""

    check: str
    result: Result
    detail: str
    remedy: str = ""


def ok(check: str, detail: str) -> Check:
    """Make the result of a check that passed."""
    return Check(check, Result.OK, detail)


def warning(check: str, detail: str, remedy: str) -> Check:
    """Make a warning: something that may be intended."""
    return Check(check, Result.WARNING, detail, remedy)


def problem(check: str, detail: str, remedy: str) -> Check:
    """Make a problem: something that doesn't work."""
    return Check(check, Result.PROBLEM, detail, remedy)
