"""Sampling images at the places of a grid: bilinear or nearest, with zeros, the border or reflections outside.

Some positions at a time: where their corners lie and what these weigh goes to the stack first, then all channels are walked.
"""

from functools import cache
from typing import Any, Callable

from ..compiler.code import ELEMENT, Code, Value, kernel
from ..compiler.expression import absolute, floor, rint

HEADER = "images channels height width positions nearest border reflection align needs_input needs_grid".split()
"""The table's numbers; all from `nearest` on are flags."""

SPAN = 64
"""Positions that are looked at together."""


class _Places:
    """The corners of a stretch of positions, on the stack: indices into a plane (-1 outside), weights, and for the gradient the shares of
    both sides and what a coordinate moves by."""

    def __init__(self, code: Code, element: str, t: Any) -> None:
        self.code, self.element, self.t = code, element, t
        self.index = [code.array("i64", SPAN) for _ in range(4)]
        self.weight = [code.array(element, SPAN) for _ in range(4)]
        self.share = [code.array(element, SPAN) for _ in range(2)]
        self.moves = [code.array(element, SPAN) for _ in range(2)]

    def _coordinate(self, raw: Value, size: Value) -> tuple[Value, Value]:
        """A grid's number as a coordinate, and the slope of that."""
        code, t, element = self.code, self.t, self.element
        wide = code.convert(size, element)
        aligned = (raw + 1.0) / 2.0 * (wide - 1.0)
        x = code.where(t.align.differs(0), aligned, ((raw + 1.0) * wide - 1.0) / 2.0)
        slope = code.where(t.align.differs(0), (wide - 1.0) / 2.0, wide / 2.0)
        # Reflection folds the coordinate back into [low, low + span].
        low = code.where(t.align.differs(0), code.value(0.0, element), code.value(-0.5, element))
        span = code.where(t.align.differs(0), wide - 1.0, wide)
        size_of = code.expression(absolute, x - low)
        turns = code.expression(floor, size_of / span)
        rest = size_of - turns * span
        odd = (turns - code.expression(floor, turns / 2.0) * 2.0).differs(0.0)
        one, minus = code.value(1.0, element), code.value(-1.0, element)
        sign = code.where(odd, minus, one)
        folded = sign * (rest - span / 2.0) + span / 2.0 + low
        folded = code.where(span.equals(0.0), code.value(0.0, element), folded)
        turned = slope * sign * code.where(x < low, minus, one)
        reflected = t.reflection.differs(0)
        x, slope = code.where(reflected, folded, x), code.where(reflected, turned, slope)
        zero = code.value(0.0, element)
        clipped = code.where(x > 0.0, x, zero)
        inside = (x > 0.0) & (clipped < wide - 1.0)
        clipped = code.where(clipped < wide - 1.0, clipped, wide - 1.0)
        border = t.border.differs(0) | reflected
        return code.where(border, clipped, x), code.where(border, code.where(inside, slope, zero), slope)

    def find(self, grid: Value, first: Value, last: Value) -> None:
        """Fills the arrays for the positions from `first` to `last`."""
        code, t, element = self.code, self.t, self.element
        with code.loop(first, last) as p:
            j = p - first
            x, move_x = self._coordinate(code.load(element, grid, p * 2), t.width)
            y, move_y = self._coordinate(code.load(element, grid, p * 2 + 1), t.height)
            nearest = t.nearest.differs(0)
            left = code.where(nearest, code.expression(rint, x), code.expression(floor, x))
            top = code.where(nearest, code.expression(rint, y), code.expression(floor, y))
            zero, one = code.value(0.0, element), code.value(1.0, element)
            tx, ty = code.where(nearest, zero, x - left), code.where(nearest, zero, y - top)
            for n, (row, column) in enumerate(((top, left), (top, left + 1.0), (top + 1.0, left), (top + 1.0, left + 1.0))):
                wide, high = code.convert(t.width, element), code.convert(t.height, element)
                good = (column >= 0.0) & (column < wide) & (row >= 0.0) & (row < high)
                if n:
                    good = good & ~nearest
                place = code.convert(code.where(good, row, zero), "i64") * t.width + code.convert(code.where(good, column, zero), "i64")
                code.store(code.where(good, place, code.value(-1)), self.index[n], j)
                code.store((ty if n > 1 else one - ty) * (tx if n % 2 else one - tx), self.weight[n], j)
            for array, value in zip((*self.share, *self.moves), (tx, ty, move_x, move_y)):
                code.store(code.where(nearest, zero, value) if array in self.moves else value, array, j)

    def corner(self, n: int, plane: Value, j: Value) -> Value:
        """The element at a corner, zero outside."""
        code = self.code
        place = code.load("i64", self.index[n], j)
        value = code.load(self.element, plane, code.most(place, 0))
        return code.where(place < 0, code.value(0.0, self.element), value)


def _launch(name: str, body: Code, count: Callable[[Any], Any]) -> Callable[..., Any]:
    main = Code("main", " ".join(n for n in body.parameters if n not in ("begin", "end")))
    t = main.named(main.arguments[-1], HEADER)
    with main.unlocked():
        main.parallel(body, main.arguments, count(t), 1)
    return kernel(name, main, body)


@cache
def forward(kind: str) -> Callable[..., Any]:
    """`kernel(out, x, grid, table)`: x (images, channels, height, width), grid (images, positions, 2), out (images, channels,
    positions)."""
    element = ELEMENT[kind]
    code = Code("sample", "out x grid table begin:i64 end:i64")
    out, x, grid, table, begin, end = code.arguments
    t = code.named(table, HEADER)
    places = _Places(code, element, t)
    blocks = (t.positions + (SPAN - 1)) // SPAN
    with code.loop(begin, end) as item:
        image, first = item // blocks, item % blocks * SPAN
        last = code.least(first + SPAN, t.positions)
        places.find(code.at(grid, image * t.positions * 2, element), first, last)
        with code.loop(0, t.channels) as channel:
            number = image * t.channels + channel
            plane = code.at(x, number * t.height * t.width, element)
            row = code.at(out, number * t.positions, element)
            with code.loop(first, last) as p:
                j = p - first
                total = places.corner(0, plane, j) * code.load(element, places.weight[0], j)
                for n in range(1, 4):
                    total = total + places.corner(n, plane, j) * code.load(element, places.weight[n], j)
                code.store(total, row, p)
    return _launch(f"flambeau_grid_sample_{kind}", code, lambda t: t.images * ((t.positions + (SPAN - 1)) // SPAN))


@cache
def backward(kind: str) -> Callable[..., Any]:
    """`kernel(grad_x, grad_grid, grad, x, grid, table)`: adds into grad_x, which begins as zeros, and fills grad_grid."""
    element = ELEMENT[kind]
    code = Code("images", "grad_x grad_grid grad x grid table begin:i64 end:i64")
    grad_x, grad_grid, grad, x, grid, table, begin, end = code.arguments
    t = code.named(table, HEADER)
    places = _Places(code, element, t)
    slopes = [code.array(element, SPAN) for _ in range(2)]
    zero = code.value(0.0, element)
    with code.loop(begin, end) as image, code.loop(0, t.positions, SPAN) as first:
        last = code.least(first + SPAN, t.positions)
        places.find(code.at(grid, image * t.positions * 2, element), first, last)
        for array in slopes:
            with code.loop(0, last - first) as j:
                code.store(zero, array, j)
        with code.loop(0, t.channels) as channel:
            number = image * t.channels + channel
            size = number * t.height * t.width
            plane, target = code.at(x, size, element), code.at(grad_x, size, element)
            row = code.at(grad, number * t.positions, element)
            with code.when(t.needs_input.differs(0)), code.loop(first, last, short=True) as p:
                j = p - first
                g = code.load(element, row, p)
                for n in range(4):
                    place = code.load("i64", places.index[n], j)
                    with code.when(place >= 0):
                        share = g * code.load(element, places.weight[n], j)
                        code.store(code.load(element, target, place) + share, target, place)
            with code.when(t.needs_grid.differs(0)), code.loop(first, last) as p:
                j = p - first
                g = code.load(element, row, p)
                a, b, c, d = (places.corner(n, plane, j) for n in range(4))
                tx, ty = (code.load(element, share, j) for share in places.share)
                along_x = (b - a) * (1.0 - ty) + (d - c) * ty
                along_y = (c - a) * (1.0 - tx) + (d - b) * tx
                for array, slope in zip(slopes, (along_x, along_y)):
                    code.store(code.load(element, array, j) + slope * g, array, j)
        with code.when(t.needs_grid.differs(0)), code.loop(first, last) as p:
            at = (image * t.positions + p) * 2
            for n in range(2):
                value = code.load(element, slopes[n], p - first) * code.load(element, places.moves[n], p - first)
                code.store(value, grad_grid, at + n)
    return _launch(f"flambeau_grid_sample_backward_{kind}", code, lambda t: t.images)
