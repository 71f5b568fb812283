"""`default_collate`, `default_convert` and `collate`, beside PyTorch."""

from collections import OrderedDict, UserDict, UserList, defaultdict, namedtuple

import pytest

import flambeau.utils.data  # noqa: F401
from harness import Row, parity, randn, rows

Point = namedtuple("Point", "x y")

C = "c = torch.utils.data.default_collate; "

test_tensors = rows(
    Row(C + "c([a, b])", a=randn(3, 2), b=randn(3, 2), strides=True),
    Row(C + "c([a, b])", a=randn(3, 2).T, b=randn(3, 2).T, strides=True),
    Row(C + "c([a.expand(40, 50), b.expand(40, 50).mT.mT])", a=randn(50), b=randn(50), strides=True),
    Row(C + "c([a[i] for i in range(3)])", a=randn(3), dtypes="float32 bfloat16 float16 int64 bool complex64 uint8"),
    Row(C + "c([a[i] for i in range(3)])", a=randn(3, 0, 2)),
    Row(C + "c([a, b])", a=randn(3), b=randn(4)),
    Row(C + "c([a, b])", a=randn(3), b=randn(3, 1)),
    Row(C + "c([a, b])", a=randn(()), b=randn(1)),
    Row(C + "c([a, b.double()])", a=randn(3), b=randn(3)),
    Row(C + "c([a, b * 2])", a=randn(3), b=randn(3), grad=True),
    Row(C + "c([a, 1])", a=randn(3)),
    Row(C + "c([torch.nn.Parameter(a), torch.nn.Parameter(a)])", a=randn(3)),
    Row(C + "x = torch.zeros(3); y = c([x, x]); x.fill_(1); y"),
    Row(C + "c([])", message="list index out of range"),
)

test_numbers = rows(
    Row(C + "c([1, 2, 3])"),
    Row(C + "c([1, 2.5])"),
    Row(C + "c([1.5, 2])"),
    Row(C + "c([1.5, True])"),
    Row(C + "c([True, False])"),
    Row(C + "c([True, 3])"),
    Row(C + "c([2**40, -1])"),
    Row(C + "c([2**70, 1])"),
    Row(C + "c([1j])"),
    Row(C + "c(['a', 'b']), c([b'a'])"),
    Row(C + "c([None])"),
    Row(C + "c([object()])"),
    Row(C + "c([{1, 2}])"),
)

test_numpy = rows(
    Row(C + "c([np.zeros(2), np.ones(2)])"),
    Row(C + "c([np.float32(1), np.float32(2)])"),
    Row(C + "c([np.float64(1), np.float64(2)])"),
    Row(C + "c([np.int16(3)]), c([np.bool_(True)])"),
    Row(C + "c([np.zeros(2), np.zeros(3)])"),
    Row(C + "c([np.array(['a'])])"),
    Row(C + "c([np.array(None)])"),
    Row(C + "c([np.str_('a')])"),
    Row(C + "c([np.datetime64('2020-01-01')])"),
)

test_structures = rows(
    Row(C + "c([(1, 'a'), (2, 'b')])"),
    Row(C + "c([[1, 2.0], [3, 4.0]])"),
    Row(C + "c([{'a': 0, 'b': {'c': (1,)}}, {'a': 100, 'b': {'c': (2,)}}])"),
    Row(C + "c([(a, 1), (b, 2)])", a=randn(2), b=randn(2)),
    Row(C + "c([range(2), range(2)])"),
    Row(C + "c([[1, 2], [1]])"),
    Row(C + "c([(1, 2), (1, 2, 3)])"),
    Row(C + "c([{'a': 1}, {'b': 2}])"),
    Row(C + "c([(), ()])"),
)

V = "v = torch.utils.data.default_convert; "

test_convert = rows(
    Row(V + "v(np.arange(3.0)), v(np.float32(2)), v(np.bool_(True))"),
    Row(V + "v((np.zeros(1), 2)), v([np.zeros(1), 'x']), v({'a': np.zeros(1)})"),
    Row(V + "v(range(3)), v('abc'), v(None), v(3), v(b'x')"),
    Row(V + "v(np.array(['a'])).tolist(), str(v(np.str_('a')))"),
    Row(V + "v(np.datetime64('2020-01-01'))"),
    Row(V + "v(a) is a", a=randn(2)),
    Row(V + "a = np.zeros(2); t = v(a); a[0] = 5; t"),
)


@pytest.mark.parametrize("name", ["default_collate", "default_convert"])
@parity
def test_types_of_structures_stay(torch, name):
    function = getattr(torch.utils.data, name)
    result = []
    for sample in (
        Point(1, 2.0),
        OrderedDict(a=1, b=2),
        defaultdict(list, a=1),
        UserDict(a=1),
        UserList([1, 2]),
        [Point(1, (2, 3))],
    ):
        done = function([sample, sample] if name == "default_collate" else sample)
        result.append((type(done).__name__, str(dict(done) if hasattr(done, "items") else done)))
    return result


@parity
def test_a_mapping_that_cannot_be_copied_becomes_a_dict(torch):
    class Stubborn(UserDict):
        def __copy__(self):
            raise TypeError("no copies")

    return str(torch.utils.data.default_collate([Stubborn(a=1), Stubborn(a=2)]))


@parity
def test_the_map_of_types_can_be_extended(torch):
    from collections.abc import Sequence

    if torch.__name__ == "torch":
        from torch.utils.data._utils.collate import collate, default_collate_fn_map
    else:
        from flambeau.utils.data._utils.collate import collate, default_collate_fn_map

    class Mine:
        def __init__(self, number):
            self.number = number

    def of_mine(batch, *, collate_fn_map=None):
        return torch.tensor([one.number for one in batch])

    def longest(batch, *, collate_fn_map=None):
        return max(len(one) for one in batch)

    batch = [(Mine(1), 1), (Mine(2), 2)]
    extended = {**default_collate_fn_map, Mine: of_mine}
    result = [collate(batch, collate_fn_map=extended), collate([[1], [1, 2]], collate_fn_map={Sequence: longest})]
    result.append(collate([(1,), (1, 2)], collate_fn_map={(list, tuple): longest}))
    with pytest.raises(TypeError) as error:
        collate(batch)
    result.append(str(error.value).split("<locals>")[0])
    return result
