"""The order in which PyTorch's `topk` returns equal values on the CPU.

PyTorch leaves it to the C++ library's `partial_sort` (where 64 k <= n) or `nth_element` and `sort`, which are not stable.
These follow GNU's libstdc++ step by step (introsort after Musser, 1997), so they are for the rare rows that have ties.
"""

Keys = list[float]
Order = list[int]


def top_order(keys: Keys, k: int) -> Order:
    """The places of the k smallest keys in ascending order; equal ones in PyTorch's order. 0 < k <= len(keys)."""
    order = list(range(len(keys)))
    if 64 * k <= len(keys):
        partial_sort(order, keys, 0, k, len(keys))
    else:
        nth_element(order, keys, k - 1)
        sort(order, keys, k - 1)
    return order[:k]


def depth_limit(n: int) -> int:
    return 2 * (n.bit_length() - 1)


def nth_element(order: Order, keys: Keys, nth: int) -> None:
    """Puts the right place at `nth`, none greater before it."""
    first, last = 0, len(order)
    depth = depth_limit(last)
    while last - first > 3:
        if depth == 0:
            heap_select(order, keys, first, nth + 1, last)
            order[first], order[nth] = order[nth], order[first]
            return
        depth -= 1
        cut = partition(order, keys, first, last)
        if cut <= nth:
            first = cut
        else:
            last = cut
    insertion_sort(order, keys, first, last)


def sort(order: Order, keys: Keys, last: int) -> None:
    """Sorts the first `last` places."""
    if last > 0:
        introsort(order, keys, 0, last, depth_limit(last))
        insertion_sort(order, keys, 0, min(last, 16))
        for i in range(16, last):
            insert(order, keys, i)


def introsort(order: Order, keys: Keys, first: int, last: int, depth: int) -> None:
    """Sorts coarsely: stretches of at most 16 stay as they are."""
    while last - first > 16:
        if depth == 0:
            partial_sort(order, keys, first, last, last)
            return
        depth -= 1
        cut = partition(order, keys, first, last)
        introsort(order, keys, cut, last, depth)
        last = cut


def partition(order: Order, keys: Keys, first: int, last: int) -> int:
    """Parts the stretch at the median of its second, middle and last place, which moves to the front."""
    places = (first + 1, first + (last - first) // 2, last - 1)
    a, b, c = (keys[order[place]] for place in places)
    if a < b:
        median = 1 if b < c else 2 if a < c else 0
    else:
        median = 0 if a < c else 2 if b < c else 1
    chosen = places[median]
    order[first], order[chosen] = order[chosen], order[first]
    pivot = keys[order[first]]
    left, right = first + 1, last
    while True:
        while keys[order[left]] < pivot:
            left += 1
        right -= 1
        while pivot < keys[order[right]]:
            right -= 1
        if left >= right:
            return left
        order[left], order[right] = order[right], order[left]
        left += 1


def insertion_sort(order: Order, keys: Keys, first: int, last: int) -> None:
    for i in range(first + 1, last):
        if keys[order[i]] < keys[order[first]]:
            order[first : i + 1] = [order[i], *order[first:i]]
        else:
            insert(order, keys, i)


def insert(order: Order, keys: Keys, i: int) -> None:
    """Moves place i back to where it belongs; something not greater stands before."""
    moved = order[i]
    key = keys[moved]
    while key < keys[order[i - 1]]:
        order[i] = order[i - 1]
        i -= 1
    order[i] = moved


def partial_sort(order: Order, keys: Keys, first: int, middle: int, last: int) -> None:
    """Sorts the smallest of [first, last) into [first, middle)."""
    heap_select(order, keys, first, middle, last)
    for end in range(middle - 1, first, -1):
        moved, order[end] = order[end], order[first]
        sift(order, keys, first, 0, end - first, moved)


def heap_select(order: Order, keys: Keys, first: int, middle: int, last: int) -> None:
    """Makes a heap of the smallest, the greatest of them in front."""
    size = middle - first
    for parent in range((size - 2) // 2, -1, -1):
        sift(order, keys, first, parent, size, order[first + parent])
    for i in range(middle, last):
        if keys[order[i]] < keys[order[first]]:
            moved, order[i] = order[i], order[first]
            sift(order, keys, first, 0, size, moved)


def sift(order: Order, keys: Keys, first: int, hole: int, size: int, moved: int) -> None:
    """Moves the hole down to the bottom, always to the greater child, then `moved` up from there."""
    top = child = hole
    while child < (size - 1) // 2:
        child = 2 * child + 2
        if keys[order[first + child]] < keys[order[first + child - 1]]:
            child -= 1
        order[first + hole] = order[first + child]
        hole = child
    if size % 2 == 0 and child == (size - 2) // 2:
        child = 2 * child + 1
        order[first + hole] = order[first + child]
        hole = child
    parent = (hole - 1) // 2
    while hole > top and keys[order[first + parent]] < keys[moved]:
        order[first + hole] = order[first + parent]
        hole = parent
        parent = (hole - 1) // 2
    order[first + hole] = moved
