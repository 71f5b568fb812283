"""`torch.jit.frontend`: which Python lies in the subset that TorchScript has. Nothing is compiled; the source is only looked at."""

from __future__ import annotations

import ast
from typing import Any

from ..core.naming import public


@public("torch.jit.frontend")
class FrontendError(Exception):
    """Source that is not TorchScript; it shows the line."""

    def __init__(self, source_range: Any, msg: str) -> None:
        self.source_range = source_range
        self.msg = msg
        super().__init__(f"{msg}:\n{source_range}" if source_range else msg)


@public("torch.jit.frontend")
class NotSupportedError(FrontendError):
    """Python that TorchScript does not have."""


@public("torch.jit.frontend")
class UnsupportedNodeError(NotSupportedError):
    """A statement or expression that TorchScript does not have."""


_STATEMENTS: dict[type, tuple[str, str]] = {
    ast.FunctionDef: ("function definitions", "def"),
    ast.AsyncFunctionDef: ("async function definitions", "async def"),
    ast.ClassDef: ("class definitions", "class"),
    ast.AsyncFor: ("async for loops", "async for"),
    ast.AsyncWith: ("async with statements", "async with"),
    ast.Try: ("try blocks", "try"),
    ast.Import: ("import statements", "import"),
    ast.ImportFrom: ("import statements", "from"),
    ast.Global: ("global variables", "global"),
    ast.Nonlocal: ("nonlocal variables", "nonlocal"),
}
_EXPRESSIONS: dict[type, str] = {
    ast.Yield: "Yield", ast.YieldFrom: "YieldFrom", ast.Await: "Await", ast.Lambda: "Lambda", ast.Set: "Set", ast.SetComp: "SetComp",
    ast.GeneratorExp: "GeneratorExp", ast.NamedExpr: "NamedExpr",
}  # fmt: skip


class Source:
    """The text of one function and where it stands, for messages."""

    def __init__(self, text: str, file: str, first: int) -> None:
        self.text = text
        self.lines = text.splitlines()
        self.file = file
        self.first = first

    def at(self, node: Any, width: int = 1, shift: int = 0) -> str:
        """The line of a node, its place marked, with two lines before and after."""
        line = node.lineno - 1
        mark = " " * (node.col_offset + shift) + "~" * width + " <--- HERE"
        marked = [*self.lines[max(line - 2, 0) : line + 1], mark, *self.lines[line + 1 : line + 3]]
        return f'  File "{self.file}", line {self.first + line}\n' + "\n".join(marked) + "\n"


def check(function: ast.FunctionDef, source: Source) -> None:
    """Raises UnsupportedNodeError or NotSupportedError at the first thing in a function that TorchScript does not have."""
    arguments = function.args
    for stars, odd in enumerate((arguments.vararg, arguments.kwarg), 1):
        if odd is not None:
            raise NotSupportedError(
                source.at(odd, len(odd.arg) + stars, -stars),
                "Compiled functions can't take variable number of arguments or use keyword-only arguments with defaults",
            )
    for statement in function.body:
        for node in ast.walk(statement):
            found = _STATEMENTS.get(type(node))
            if found is not None:
                raise UnsupportedNodeError(source.at(node, len(found[1])), f"{found[0]} aren't supported")
            if type(node) in _EXPRESSIONS:
                raise UnsupportedNodeError(source.at(node), f"{_EXPRESSIONS[type(node)]} aren't supported")
            if isinstance(node, (ast.ListComp, ast.DictComp)):
                if len(node.generators) != 1:
                    raise NotSupportedError(source.at(node), "Only a single generator is currently supported")
                if node.generators[0].ifs:
                    raise NotSupportedError(source.at(node), "Comprehension ifs are not supported yet")
            if isinstance(node, (ast.For, ast.While)) and node.orelse:
                raise NotSupportedError(source.at(node), "else branches of loops aren't supported")
