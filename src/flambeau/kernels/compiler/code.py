"""Structured machine code: functions of LLVM IR written with `if`s, loops and variables instead of labels and phi nodes.

    code = Code("ptr", "first_or_none", "ptr %list", "i64 %count")
    with code.when(code.op("icmp eq i64 %count, 0")):
        code.back("null")
    with code.loop("%count") as i: ...

Values are the names of IR registers. Variables are stack slots, which LLVM turns into registers.
"""

from contextlib import contextmanager
from typing import Iterator


class Code:
    """One function under construction."""

    def __init__(self, result: str, name: str, *parameters: str, internal: bool = True, hints: bool = True) -> None:
        linkage = "define internal" if internal else "define"
        self.head = f"{linkage} {result} @{name}({', '.join(parameters)})"
        self.result = result
        self.slots: list[str] = []
        self.hints = hints  # whether LLVM is told how far to go with loops
        self.loops: list[bool] = []  # whether each is one over elements
        self.lines: list[str] = []
        self.count = 0

    def fresh(self, prefix: str = "v") -> str:
        """A name that no other value or block of the function has."""
        self.count += 1
        return f"{prefix}.{self.count}"

    def op(self, instruction: str) -> str:
        """Adds an instruction; returns the name of its value."""
        name = "%" + self.fresh()
        self.lines.append(f"  {name} = {instruction}")
        return name

    def do(self, instruction: str) -> None:
        """Adds an instruction without a value."""
        self.lines.append("  " + instruction)

    def back(self, value: str = "") -> None:
        """Returns from the function."""
        self.do(f"ret {self.result} {value}".rstrip())
        self.mark(self.fresh("dead"))

    def mark(self, label: str) -> None:
        """Starts the block called `label`; what comes before runs into it."""
        if self.lines and self.lines[-1].startswith("dead"):
            self.do("unreachable")
        elif not self.lines or not self.lines[-1].startswith(("  br ", "  ret ", "  unreachable")):
            self.do(f"br label %{label}")
        self.lines.append(f"{label}:")

    def jump(self, label: str) -> None:
        """Goes to the block called `label`."""
        self.do(f"br label %{label}")
        self.mark(self.fresh("dead"))

    def leave(self, condition: str, label: str) -> None:
        """Goes to the block called `label` if the condition holds."""
        after = self.fresh("go")
        self.do(f"br i1 {condition}, label %{label}, label %{after}")
        self.mark(after)

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """What is written inside runs if the condition holds."""
        inside, after = self.fresh("then"), self.fresh("fi")
        self.do(f"br i1 {condition}, label %{inside}, label %{after}")
        self.mark(inside)
        yield
        self.mark(after)

    @contextmanager
    def loop(self, count: str, elements: bool = False) -> Iterator[str]:
        """What is written inside runs `count` times; yields the index. Only loops over elements are made into vector code."""
        index = self.slot("i64", "0")
        test, inside, after = self.fresh("test"), self.fresh("loop"), self.fresh("done")
        self.mark(test)
        i = self.get(index, "i64")
        self.do(f"br i1 {self.op(f'icmp slt i64 {i}, {count}')}, label %{inside}, label %{after}")
        self.mark(inside)
        yield i
        self.put(index, "i64", self.op(f"add nsw i64 {i}, 1"))
        if self.hints:
            self.do(f"br label %{test}, !llvm.loop !LOOP{len(self.loops)}.")
            self.loops.append(elements)
        else:
            self.do(f"br label %{test}")
        self.mark(after)

    def slot(self, type_: str, initial: str | None = None) -> str:
        """A variable."""
        name = "%" + self.fresh("slot")
        self.slots.append(f"  {name} = alloca {type_}")
        if initial is not None:
            self.put(name, type_, initial)
        return name

    def get(self, slot: str, type_: str) -> str:
        """What a variable, or the memory at a pointer, holds."""
        return self.op(f"load {type_}, ptr {slot}")

    def put(self, slot: str, type_: str, value: str | int) -> None:
        """Sets a variable, or the memory at a pointer."""
        self.do(f"store {type_} {value}, ptr {slot}")

    def field(self, pointer: str, offset: int | str, type_: str = "ptr") -> str:
        """What lies `offset` bytes behind a pointer."""
        return self.get(self.op(f"getelementptr i8, ptr {pointer}, i64 {offset}"), type_)

    def set_field(self, pointer: str, offset: int | str, value: str, type_: str = "ptr") -> None:
        """Stores `offset` bytes behind a pointer."""
        self.put(self.op(f"getelementptr i8, ptr {pointer}, i64 {offset}"), type_, value)

    def item(self, pointer: str, index: int | str, type_: str = "ptr") -> str:
        """Element `index` of an array in memory."""
        return self.get(self.op(f"getelementptr {type_}, ptr {pointer}, i64 {index}"), type_)

    def call(self, result: str, function: str, *arguments: str) -> str:
        """Calls `@function`, or the function at a pointer, with arguments written as "type value"."""
        target = function if function.startswith("%") else f"@{function}"
        text = f"call {result} {target}({', '.join(arguments)})"
        if result == "void":
            self.do(text)
            return ""
        return self.op(text)

    def text(self, first_note: int = 0) -> str:
        """The function as IR. Its metadata nodes, three for each loop, are numbered from `first_note` on.

        They tell LLVM how far to go with a loop: copies of its body cost more to compile than they save on few elements.
        """
        body = "\n".join([self.head + " {", "entry:", *self.slots, *self.lines, "  unreachable", "}", ""])
        for i, elements in enumerate(self.loops):
            n = first_note + 3 * i
            hint = '"llvm.loop.interleave.count", i32 1' if elements else '"llvm.loop.vectorize.enable", i1 false'
            body = body.replace(f"!LOOP{i}.", f"!{n}")
            body += f'!{n} = distinct !{{!{n}, !{n + 1}, !{n + 2}}}\n!{n + 1} = !{{!{hint}}}\n!{n + 2} = !{{!"llvm.loop.unroll.disable"}}\n'
        return body
