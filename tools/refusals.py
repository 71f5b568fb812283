"""`python tools/refusals.py`: writes `docs/refusals.md`, the errors in the source that say that flambeau does not do something."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "flambeau"
ERRORS = {"NotImplementedError", "RuntimeError", "ValueError", "TypeError", "UnpicklingError", "AssertionError"}
HEAD = """# What is refused

<!-- Written by tools/refusals.py: run `make reference`. -->

Every error in the source whose text says that flambeau does not do something that PyTorch does; `...` stands for what is filled
in. What these mean is said on [What differs from PyTorch](differences.md); names that are missing altogether stand on
[Names that are missing](missing-names.md).

| where | error | text |
| --- | --- | --- |
"""


def text_of(node: ast.expr) -> str:
    """A message, with `...` for what is only known later."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) if isinstance(part, ast.Constant) else "..." for part in node.values)
    if isinstance(node, ast.BinOp):
        return text_of(node.left) + text_of(node.right)
    return "..."


def refusals() -> list[tuple[str, str, str]]:
    """File, error and text of each, in the order of the source."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS and node.args:
                text = re.sub(r"\s+", " ", text_of(node.args[0])).strip()
                if re.search(r"\bflambeau\b|not supported yet|comes later", text):
                    found.append((path.relative_to(PACKAGE).as_posix(), node.func.id, text))
    return list(dict.fromkeys(found))


def page() -> str:
    """The text of the page."""
    return HEAD + "".join(f"| `{where}` | {error} | `{text.replace('|', '/').replace('`', '')}` |\n" for where, error, text in refusals())


if __name__ == "__main__":
    (ROOT / "docs" / "refusals.md").write_text(page())
