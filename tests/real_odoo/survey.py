"""Read what a source tree of Odoo offers: routes, models, and what its JavaScript calls. Nothing of it is run."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.real_odoo.server import version_of

SURVEYS: Final = Path(__file__).parents[1] / "odoo" / "surveys"

# What a route has where its decorator says nothing.
_DEFAULTS: Final[dict[str, object]] = {"type": "http", "auth": "user", "csrf": True, "website": False, "methods": None}
_RENAMED: Final = {"jsonrpc": "json", "json2": "json2"}

_NAME: Final = r"""["'`]([\w.]+)["'`]"""
# What stands in brackets, two deep, as the options of orm.cache({callback: (result) => { if (result) … }}).
_BRACKETS: Final = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
# orm.call(model, "method"), this.orm.silent.call(…), orm.cache(…).call(…); the model may be an expression.
_CALL = re.compile(
    rf"""\borm(?:\(\))?(?:\.silent|\s*\.cache{_BRACKETS})?\s*\.call\(\s*(?:{_NAME}|[^"'`,]+?)\s*,\s*{_NAME}"""
)
# The same of former versions: {{model: "x", method: "y"}}, and the service's own wrappers: this.call(model, "method".
_QUERY = re.compile(rf"""\bmodel:\s*(?:{_NAME}|[^"'`,}}]+?)\s*,\s*method:\s*{_NAME}""")
_WRAPPER = re.compile(rf"""\bthis\.call\(\s*model\s*,\s*{_NAME}""")
_RPC = re.compile(r"""\b_?(?:json)?rpc(?:Bus)?\(\s*(?:\{\s*route:\s*)?(["'`])(/[^"'`]*)\1""")
_CALL_KW = re.compile(r"/web/dataset/call_kw/([\w.]+)/(\w+)")
_PLACE = re.compile(r"\$\{[^}]*\}")
_ANY: Final = "*"


@dataclass
class Survey:
    """What one version has. `calls` are ``model/method``, with ``*`` for a model that only the page knows."""

    version: str
    routes: list[dict[str, Any]] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    rpc: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def text(self) -> str:
        """As JSON with one fact a line, so that two versions can be compared."""
        parts = [f'"version": {json.dumps(self.version)}']
        for name in ("routes", "models", "calls", "rpc", "unread"):
            rows = ",\n".join(json.dumps(each) for each in getattr(self, name))
            parts.append(f'"{name}": [\n{rows}\n]')
        return "{\n" + ",\n".join(parts) + "\n}\n"


def read_survey(file: Path) -> Survey:
    """A survey that was written down."""
    return Survey(**json.loads(file.read_text(encoding="utf-8")))


def write_survey(source: Path) -> Path:
    """Survey a tree and write it to ``tests/odoo/surveys/<version>.json``; returns the file."""
    survey = survey_tree(source)
    file = SURVEYS / f"{survey.version}.json"
    SURVEYS.mkdir(exist_ok=True)
    file.write_text(survey.text(), encoding="utf-8")
    return file


def survey_tree(source: Path) -> Survey:
    """Read the modules of a tree, but for those that only serve Odoo's own tests."""
    found = Survey(version_of(source))
    routes: dict[str, dict[str, Any]] = {}
    models, calls, rpc = set[str](), set[str](), set[str]()
    for module in _modules(source):
        reader = _PythonReader()
        for file in _files(module, "*.py", {"tests", "static", "migrations", "populate"}):
            reader.read(file.read_text(encoding="utf-8"))
        models |= reader.models
        for path, facts in reader.routes():
            # The first that names a path, in the order of modules' names; others extend it.
            routes.setdefault(path, {"path": path, "module": module.name, **facts})
        found.unread += [f"{module.name}: {each}" for each in reader.unread]
        if (static := module / "static" / "src").is_dir():
            for file in _files(static, "*.js", {"lib", "tests"}):
                script = file.read_text(encoding="utf-8", errors="replace")
                calls |= set(_calls(script))
                rpc |= {_PLACE.sub("{}", each[2]).partition("?")[0] for each in _RPC.finditer(script)}
    found.routes = [routes[path] for path in sorted(routes)]
    found.models, found.calls, found.rpc = sorted(models), sorted(calls), sorted(rpc)
    found.unread.sort()
    return found


def _modules(source: Path) -> list[Path]:
    """Odoo's own modules; what somebody else added to the tree is not surveyed."""
    folders = (source / "addons", source / "odoo" / "addons")
    found = [each.parent for folder in folders for each in folder.glob("*/__manifest__.py") if _is_odoos(each)]
    return sorted((each for each in found if not each.name.startswith("test_")), key=lambda each: each.name)


def _is_odoos(manifest: Path) -> bool:
    author = str(ast.literal_eval(manifest.read_text(encoding="utf-8")).get("author", "Odoo"))
    return ("Odoo" in author or "OpenERP" in author) and "Community Association" not in author


def _files(folder: Path, pattern: str, without: set[str]) -> Iterator[Path]:
    for file in sorted(folder.rglob(pattern)):
        if without.isdisjoint(file.relative_to(folder).parts[:-1]):
            yield file


def _calls(script: str) -> Iterator[str]:
    for pattern in (_CALL, _QUERY):
        for model, method in pattern.findall(script):
            yield f"{model or _ANY}/{method}"
    for method in _WRAPPER.findall(script):
        yield f"{_ANY}/{method}"
    for model, method in _CALL_KW.findall(script):
        yield f"{model}/{method}"


class _PythonReader(ast.NodeVisitor):
    """Routes and models of one module, told from its syntax alone."""

    def __init__(self) -> None:
        self.models: set[str] = set()
        self.unread: list[str] = []
        self._constants: dict[str, ast.expr] = {}
        self._decorated: list[tuple[str, ast.Call]] = []

    def read(self, source: str) -> None:
        """Read one more file."""
        self.visit(ast.parse(source))

    def visit_Assign(self, node: ast.Assign) -> None:
        """Remember what a route may name, and the names of models."""
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._constants[target.id] = node.value
                if target.id in ("_name", "_inherit"):
                    self.models |= set(self._texts(node.value))
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Look for a decorator that makes a route."""
        for decorator in node.decorator_list:
            match decorator:
                case ast.Call(func=ast.Name(id="route") | ast.Attribute(attr="route")):
                    self._decorated.append((node.name, decorator))
                case _:
                    pass

    def routes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each path with its facts; those of which no path could be read are in `unread` afterwards."""
        for function, decorator in self._decorated:
            named = {each.arg: each.value for each in decorator.keywords if each.arg}
            written = decorator.args[0] if decorator.args else named.get("route")
            if written is None:
                continue  # It extends another one, under that one's paths.
            paths = self._texts(written)
            if not paths:
                self.unread.append(function)
            facts: dict[str, Any] = {}
            for name, default in _DEFAULTS.items():
                value = self._value(named[name]) if name in named else default
                value = _RENAMED.get(value, value) if isinstance(value, str) else value
                if value != default:
                    facts[name] = value
            for path in paths:
                yield path, facts

    def _value(self, node: ast.expr) -> Any:
        try:
            return ast.literal_eval(node)
        except ValueError:
            return ast.unparse(node)

    def _texts(self, node: ast.expr) -> list[str]:
        """The texts of an expression: a literal, a list, a sum, a comprehension, or a constant of the same module."""
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return [text for each in elements for text in self._texts(each)]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                pair = self._texts(left), self._texts(right)
                is_list = any(isinstance(each, ast.List) for each in (left, right))
                return [*pair[0], *pair[1]] if is_list else [a + b for a in pair[0] for b in pair[1]]
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in self._constants:
                return self._texts(self._constants[name])
            case ast.JoinedStr(values=values):
                return self._joined(values)
            case ast.ListComp(elt=element, generators=[first, *others]) if isinstance(first.target, ast.Name):
                return self._comprehended(element, first.target.id, first.iter, others)
            case _:
                return []

    def _joined(self, values: Iterable[ast.expr]) -> list[str]:
        texts = [""]
        for each in values:
            parts = self._texts(each.value if isinstance(each, ast.FormattedValue) else each)
            texts = [text + part for text in texts for part in parts]
        return texts

    def _comprehended(self, element: ast.expr, name: str, over: ast.expr, others: list[ast.comprehension]) -> list[str]:
        inner = ast.ListComp(element, others) if others else element
        found = []
        for each in self._texts(over):
            self._constants[name] = ast.Constant(each)
            found += self._texts(inner)
        return found
