"""The pages of the site: runs the Python blocks of each and writes what they print below them.

    python tools/pages.py docs/getting-started.md docs/tutorials/*.md     writes the output shown on these pages anew
    python tools/pages.py --samples docs/engine.md                        the output that has a title, too

The ```python blocks of a page are one program, in order. A fenced block that directly follows one is its output; if its fence has a
title (```text title="..."), it is a sample of one machine and not compared by `tests/test_docs.py`. Lines of the program have the
numbers that they have on the page. The `run` entry at the head of a page says where its program runs:

    (none)               under flambeau and, with `import torch` in its place, under PyTorch
    run: flambeau        under flambeau alone
    run: llvmlite        under flambeau with compiled kernels
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MARK = "\x1e"
"""Printed at the end of each block."""
SILENT_WORKERS = "import os, sys; sys.stdout = open(os.devnull, 'w') if __name__ == '__mp_main__' else sys.stdout"
"""Worker processes that are started anew import the program, and would print it all once more."""
FENCE = re.compile(r"```([\w-]*)(.*)")
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*(?:e[-+]?\d+)?|\d+e[-+]?\d+|\d+)(?!\w)")


@dataclass
class Block:
    """A fenced block: its language, what follows that on the fence, its lines, and the indices of its two fences."""

    language: str
    info: str
    lines: list[str]
    start: int
    end: int

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def compared(self) -> bool:
        return "title=" not in self.info


@dataclass
class Page:
    """A page, its blocks, and with each Python block the block of its output, if there is one."""

    path: Path
    lines: list[str]
    run: str
    programs: list[tuple[Block, Block | None]]

    @classmethod
    def read(cls, path: Path) -> "Page":
        lines = path.read_text().split("\n")
        blocks = list(fenced(lines))
        programs: list[tuple[Block, Block | None]] = []
        for number, block in enumerate(blocks):
            if block.language == "python":
                after = blocks[number + 1] if number + 1 < len(blocks) else None
                follows = after and after.language != "python" and not any(line.strip() for line in lines[block.end + 1 : after.start])
                programs.append((block, after if follows else None))
        head = re.match(r"---\n(.*?)\n---\n", "\n".join(lines), re.DOTALL)
        found = re.search(r"^run: *(\w+)", head[1], re.MULTILINE) if head else None
        return cls(path, lines, found[1] if found else "", programs)

    def program(self, backend: str = "flambeau") -> str:
        """All Python blocks as one program, line numbers as on the page; each ends by printing MARK."""
        program = [""] * len(self.lines)
        for block, _ in self.programs:
            program[block.start + 1 : block.end] = block.lines
            program[block.end] = f"print({MARK!r}, flush=True)"
        if "from __future__" not in "\n".join(program):
            program[0] = SILENT_WORKERS
        text = "\n".join(program)
        if backend == "torch":
            text = re.sub(r"^( *)import flambeau as torch$", r"\1import torch", text, flags=re.MULTILINE)
            text = re.sub(r"^( *(?:import|from) )flambeau\b", r"\1torch", text, flags=re.MULTILINE)
        return text

    def printed(self, backend: str = "flambeau") -> list[str]:
        """What each Python block prints. Raises RuntimeError with the traceback if the program fails."""
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder, self.path.name).with_suffix(".py")
            script.write_text(self.program(backend))
            path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
            environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
            done = subprocess.run([sys.executable, script.name], cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(f"{self.path.name} ends with status {done.returncode}\n{done.stderr}")
        parts = done.stdout.split(f"{MARK}\n")
        assert len(parts) == len(self.programs) + 1, f"a block of {self.path.name} was not run"
        return ["\n".join(line.rstrip() for line in part.strip("\n").split("\n")) for part in parts[:-1]]

    def write(self, samples: bool = False) -> bool:
        """Writes what the blocks print below them. Returns whether the page has changed."""
        lines = list(self.lines)
        for (block, output), text in reversed(list(zip(self.programs, self.printed()))):
            shown = text.split("\n") if text else []
            if output is None:
                lines[block.end + 1 : block.end + 1] = ["", "```text", *shown, "```"] if text else []
            elif output.compared or samples:
                lines[output.start + 1 : output.end] = shown
        if lines != self.lines:
            self.path.write_text("\n".join(lines))
        return lines != self.lines


def fenced(lines: list[str]) -> "list[Block]":
    """The fenced blocks that begin in the first column."""
    found, start = [], None
    for number, line in enumerate(lines):
        if start is None and line.startswith("```"):
            start = number
        elif start is not None and line.rstrip() == "```":
            head = FENCE.match(lines[start])
            assert head, lines[start]
            found.append(Block(head[1], head[2], lines[start + 1 : number], start, number))
            start = None
    assert start is None, f"the block of line {(start or 0) + 1} does not end"
    return found


def same(printed: str, shown: str) -> bool:
    """Whether two outputs agree: the text but for blanks, whole numbers exactly, others to 1e-3 or the fourth decimal."""

    def split(text: str) -> tuple[list[str], list[str]]:
        return NUMBER.sub("#", text).split(), NUMBER.findall(text)

    (text, numbers), (shown_text, shown_numbers) = split(printed), split(shown)
    return text == shown_text and len(numbers) == len(shown_numbers) and all(map(close, numbers, shown_numbers))


def close(a: str, b: str) -> bool:
    return a == b or (
        not (a.lstrip("+-").isdigit() and b.lstrip("+-").isdigit()) and abs(float(a) - float(b)) <= 1.5e-4 + 1e-3 * abs(float(b))
    )


def pages() -> list[Path]:
    """All pages with Python blocks."""
    return [path for path in sorted((ROOT / "docs").rglob("*.md")) if "```python" in path.read_text()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--samples", action="store_true")
    given = parser.parse_args()
    for path in given.pages or pages():
        if Page.read(path).write(given.samples):
            print(f"{path} is written anew")
