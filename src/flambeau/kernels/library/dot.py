"""The dot product of two vectors in the order in which PyTorch's library adds up, so that no digit differs.

The order was found by revealing the tree of additions (one product is huge, another as huge and negative: what comes out is how many
products lie outside the smallest sum that holds both; Xie et al., 2025, FPRev) and by comparing bits: 1 to 20,000 elements on an AMD CPU,
any alignment, one thread. Products are rounded, never fused. A lane is a running sum, a group four neighbouring registers of 16 bytes:

- elements of `b` before the first multiple of 16 bytes go to lane 0, one after the other;
- then groups, each register to its own lanes; of float32 half a group, if there is one; then registers to the lanes of the first; then
  single elements to lane 0. In float32, where `a` does not lie at a multiple of 16 bytes there, one register and single elements only;
- the registers of the group are added up one after the other, the upper half of the lanes to the lower, and these two.

Vectors with a stride have one running sum in float32, and two of every other element in float64.
"""

from functools import cache
from typing import Any, Callable

from ..compiler.code import SIZE, Code, Value, kernel

LONG = 1 << 15
"""Elements from which on other Python threads run meanwhile."""


@cache
def dot(size: int) -> Callable[..., Any]:
    """`kernel(out, a, b, n, stride of a, stride of b)`: float32 (size 4) or float64 arrays, strides in elements, into `out[0]`."""
    element = "float" if size == 4 else "double"
    dense, strided = _dense(element, 16 // size), _strided(element, 1 if element == "float" else 2)
    main = Code("main", "out a b n:double by_a:double by_b:double")
    out, a, b = main.arguments[:3]
    n, by_a, by_b = (main.convert(v, "i64") for v in main.arguments[3:])

    def run() -> None:
        main.either(
            (by_a.equals(1) & by_b.equals(1)) | (n < 2),
            lambda: main.store(main.run(dense, a, b, n), out),
            lambda: main.store(main.run(strided, a, b, n, by_a, by_b), out),
        )

    def without_lock() -> None:
        with main.unlocked():
            run()

    main.either(n < LONG, run, without_lock)
    return kernel(f"flambeau_dot_{element}", main, dense, strided)


def _past(code: Code, pointer: Value) -> Value:
    """How many bytes a pointer lies behind a multiple of 16."""
    return code.convert(pointer, "i64") & 15


def _dense(element: str, lanes: int) -> Code:
    code = Code("dense", "a b n:i64", element)
    a, b, n = code.arguments
    size, group = SIZE[element], 4 * lanes
    register, registers = f"<{lanes} x {element}>", f"<{group} x {element}>"

    def products(type_: str, i: Any) -> Value:
        return code.load(type_, a, i) * code.load(type_, b, i)

    head = code.least(n, (16 - _past(code, b)) % 16 // size)
    single = code.variable(element, 0.0)

    def add_singly(begin: Value, end: Value) -> None:
        with code.loop(begin, end, short=True) as i:
            single.value = single.value + products(element, i)

    add_singly(code.value(0), head)
    sums = code.variable(registers, 0.0)
    sums.value = code.op(f"insertelement {registers} {sums.value}, {element} {single.value}, i64 0", registers)
    level = _past(code, code.at(a, head, element)).equals(0) if lanes == 4 else code.value(True)
    done = code.variable("i64", head + code.where(level, (n - head) // group * group, 0))
    with code.loop(head, done.value, group, short=True) as i:
        sums.value = sums.value + products(registers, i)
    each = [code.shuffle(sums.value, sums.value, list(range(k, k + lanes))) for k in range(0, group, lanes)]
    first, second = code.variable(register, each[0]), code.variable(register, each[1])

    def add_register(to: Any, at: Value) -> None:
        to.value = to.value + products(register, at)

    if lanes == 4:
        with code.when(level & (n - done.value >= 2 * lanes)):
            add_register(first, done.value)
            add_register(second, done.value + lanes)
            done.value = done.value + 2 * lanes
        with code.when(n - done.value >= lanes):
            add_register(first, done.value)
            done.value = done.value + lanes
    else:
        with code.loop((n - done.value) // lanes, short=True):
            add_register(first, done.value)
            done.value = done.value + lanes
    single.value = code.lane(first.value, 0)
    add_singly(done.value, n)
    first.value = code.op(f"insertelement {register} {first.value}, {element} {single.value}, i64 0", register)
    total = first.value + second.value + each[2] + each[3]
    while lanes > 1:
        lanes //= 2
        total = code.shuffle(total, total, list(range(lanes))) + code.shuffle(total, total, list(range(lanes, 2 * lanes)))
    code.back(code.lane(total, 0))
    return code


def _strided(element: str, chains: int) -> Code:
    code = Code("strided", "a b n:i64 by_a:i64 by_b:i64", element)
    a, b, n, by_a, by_b = code.arguments
    sums = [code.variable(element, 0.0) for _ in range(chains)]

    def add(to: Any, i: Value) -> None:
        to.value = to.value + code.load(element, a, i * by_a) * code.load(element, b, i * by_b)

    whole = n // chains * chains
    with code.loop(0, whole, chains, short=True) as i:
        for k, total in enumerate(sums):
            add(total, i + k)
    with code.loop(whole, n, short=True) as i:
        add(sums[0], i)
    code.back(sums[0].value if chains == 1 else sums[0].value + sums[1].value)
    return code
