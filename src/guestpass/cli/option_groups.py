"""Groups of options as dataclasses: a parameter of such a type adds one option per field."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Expand dataclass parameters of a command into one option per field, for typer."""
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
    """Return the values of the groups' options, by name."""
    return {each.name: getattr(group, each.name) for group in groups for each in fields(group)}


def option_of(name: str) -> str:
    """Return an option as it is typed (``max_visitors`` -> ``--max-visitors``)."""
    return f"--{name.replace('_', '-')}"
