"""Options that several commands share, as dataclasses: a parameter that is one stands for an option for each field."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer reads it: in place of each dataclass stand the options that are its fields."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, type[DataclassInstance]] = {}
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        if isinstance(group := hints[name], type) and is_dataclass(group):
            groups[name] = group
            options = get_type_hints(group, include_extras=True)
            parameters += [
                inspect.Parameter(each.name, parameter.kind, default=each.default, annotation=options[each.name])
                for each in fields(group)
            ]
        else:
            parameters.append(parameter.replace(annotation=hints[name]))

    @wraps(command)
    def run(**values: Any) -> None:  # noqa: ANN401 - whatever the options hold
        for name, group in groups.items():
            values[name] = group(**{each.name: values.pop(each.name) for each in fields(group)})
        command(**values)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def values_of(*groups: DataclassInstance) -> dict[str, Any]:
    """What the options of the groups hold, by name."""
    return {each.name: getattr(group, each.name) for group in groups for each in fields(group)}


def option_of(name: str) -> str:
    """How an option is typed (``max_visitors`` -> ``--max-visitors``)."""
    return f"--{name.replace('_', '-')}"
