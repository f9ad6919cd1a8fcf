"""What assignments of a Python file say, as far as that can be told without running it."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec

_SAME = frozenset({"str", "Path", "PurePath", "abspath", "realpath", "normpath", "resolve", "absolute", "as_posix"})
_ENVIRONMENT = frozenset(
    {"os.environ.get", "os.getenv", "getenv", "environ.get", "env", "config", "env.str", "env.get_value"}
)


class Variable(msgspec.Struct, frozen=True):
    """A value that the program takes from the environment; `default` is None if there is none."""

    name: str
    default: str | None = None


def assignments(path: Path, text: str) -> dict[str, ast.expr]:
    """What is assigned to names at the top of a module; what was assigned last counts.

    Raises:
        SyntaxError: this is not Python.
    """
    found: dict[str, ast.expr] = {}
    for statement in ast.parse(text, str(path)).body:
        if isinstance(statement, ast.Assign):
            found |= {one.id: statement.value for one in statement.targets if isinstance(one, ast.Name)}
        elif isinstance(statement, ast.AnnAssign) and statement.value and isinstance(statement.target, ast.Name):
            found[statement.target.id] = statement.value
    return found


def dictionary(node: ast.expr | None) -> dict[str, ast.expr]:
    """The entries of a literal dictionary whose keys are texts."""
    if not isinstance(node, ast.Dict):
        return {}
    return {
        key.value: value
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


def text_of(node: ast.expr | None) -> str | None:
    """A literal text or number."""
    return str(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str | int) else None


def variable_of(node: ast.expr | None) -> Variable | None:
    """A look into the environment: `os.environ["NAME"]`, `os.getenv("NAME", "default")`, `env("NAME")`."""
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) in ("os.environ", "environ"):
        name = text_of(node.slice)
        return Variable(name) if name else None
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in _ENVIRONMENT:
        name = text_of(node.args[0])
        named = next((word.value for word in node.keywords if word.arg == "default"), None)
        default = text_of(node.args[1] if len(node.args) > 1 else named)
        return Variable(name, default) if name else None
    return None


class Paths:
    """Follows paths that a module puts together.

    Args:
        module: the file, which is `__file__`.
        names: what is assigned to names in it.
    """

    def __init__(self, module: Path, names: dict[str, ast.expr]) -> None:
        self._module = module
        self._names = names

    def of(self, node: ast.expr | None, depth: int = 0) -> Path | None:
        """The path an expression stands for; None if that cannot be told."""
        if depth > 20 or node is None:
            return None
        match node:
            case ast.Constant(value=str(text)):
                return Path(text)
            case ast.Name(id="__file__"):
                return self._module
            case ast.Name(id=name):
                return self.of(self._names.get(name), depth + 1)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return _joined([self.of(left, depth + 1), self.of(right, depth + 1)])
            case ast.Attribute(value=value, attr="parent"):
                inner = self.of(value, depth + 1)
                return inner.parent if inner is not None else None
            case ast.Subscript(value=ast.Attribute(value=value, attr="parents"), slice=ast.Constant(value=int(number))):
                inner = self.of(value, depth + 1)
                return inner.parents[number] if inner is not None and 0 <= number < len(inner.parents) else None
            case ast.Call():
                return self._call(node, depth)
            case _:
                return None

    def _call(self, node: ast.Call, depth: int) -> Path | None:
        name = ast.unparse(node.func).rpartition(".")[2]
        arguments = [self.of(one, depth + 1) for one in node.args]
        if name == "join":
            return _joined(arguments)
        if name == "dirname" and arguments and arguments[0] is not None:
            return arguments[0].parent
        if name in _SAME:
            if arguments:
                return arguments[0]
            return self.of(node.func.value, depth + 1) if isinstance(node.func, ast.Attribute) else None
        return None


def _joined(parts: list[Path | None]) -> Path | None:
    whole = [part for part in parts if part is not None]
    return Path(*whole) if whole and len(whole) == len(parts) else None
