"""`python tools/api_overview.py`: writes `docs/api.md`, what flambeau offers, module by module."""

import inspect
import types
from typing import Any

from missing_names import MODULES, ROOT, offered, ours, torch_names, wrapped

HEAD = """# What there is, by module

<!-- Written by tools/api_overview.py: run `make reference`. -->

Every name below is PyTorch's, with PyTorch's meaning; `help(torch.nn.Linear)` shows what flambeau says of it. What is missing stands on
[Names that are missing](missing-names.md).

| module | functions | classes | other | |
| --- | ---: | ---: | ---: | --- |
"""
TENSOR = "The class of all tensors: methods, properties, and the forms that change the tensor in place."


def kinds(owner: str) -> dict[str, list[str]]:
    """The module's names that PyTorch has, too, by kind."""
    found: dict[str, list[str]] = {"functions": [], "in place": [], "classes": [], "modules": [], "other": []}
    space = ours(owner)
    for name in offered(owner):
        if not hasattr(space, name):
            continue
        member = inspect.getattr_static(space, name) if owner == "torch.Tensor" else getattr(space, name)
        found[kind(owner, name, member)].append(name)
    return found


def kind(owner: str, name: str, member: Any) -> str:
    if owner == "torch.Tensor":
        return (
            "in place"
            if name.endswith("_")
            else "functions"
            if callable(member) or isinstance(member, (classmethod, staticmethod))
            else "other"
        )
    if isinstance(member, types.ModuleType):
        return "modules"
    return "classes" if isinstance(member, type) else "functions" if callable(member) else "other"


def summary(owner: str) -> str:
    """The first sentence of the module's docstring."""
    text = TENSOR if owner == "torch.Tensor" else (ours(owner).__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
    start = f"`{owner}`: "
    text = text.removeprefix(start).removeprefix("`" + owner.removeprefix("torch.") + "`: ")
    return (text if text.startswith("flambeau") else text[:1].upper() + text[1:]).replace("|", "\\|")


def page() -> str:
    """The text of the page."""
    rows, lists = [], []
    for owner in MODULES:
        if ours(owner) is None or owner not in torch_names():
            continue
        names = kinds(owner)
        functions, others = len(names["functions"]) + len(names["in place"]), len(names["modules"]) + len(names["other"])
        if not functions + others + len(names["classes"]):
            continue
        rows.append(
            f"| [`{owner}`](#{owner.lower().replace('.', '')}) | {functions} | {len(names['classes'])} | {others} | {summary(owner)} |"
        )
        lists.append(f"## {owner}\n")
        for title, entries in names.items():
            if entries:
                shown = {"functions": "methods", "other": "properties"}.get(title, title) if owner == "torch.Tensor" else title
                lists.append(f"**{shown.capitalize()}** ({len(entries)}): {wrapped(entries)}\n")
    return HEAD + "\n".join(rows) + "\n\n" + "\n".join(lists)


if __name__ == "__main__":
    (ROOT / "docs" / "api.md").write_text(page())
