"""Datasets and how they are combined and split, beside PyTorch."""

import pickle

import pytest

import flambeau.utils.data
from harness import Row, parity, randn, rows

DATA = "D = torch.utils.data; "
STREAM = DATA + "S = type('S', (D.IterableDataset,), {'__iter__': lambda self: iter(range(4)), '__len__': lambda self: 4}); "

test_datasets = rows(
    Row(DATA + "d = D.TensorDataset(x, x * 2); (len(d), d[1], d[-1], d[1:3], d[[0, 2]])", x=randn(4, 2)),
    Row(DATA + "D.TensorDataset(x, x[1:])", x=randn(4, 2)),
    Row(DATA + "D.TensorDataset(x)[7]", x=randn(4)),
    Row(DATA + "D.Dataset()[0]"),
    Row(DATA + "D.IterableDataset()", message="abstract"),
    Row(DATA + "d = D.StackDataset([1, 2, 3], 'abc'); (len(d), d[1], d.__getitems__([2, 0]))"),
    Row(DATA + "d = D.StackDataset(a=[1, 2, 3], b=D.Subset([4, 5, 6], [2, 1, 0])); (len(d), d[1], d.__getitems__([2, 0]))"),
    Row(DATA + "D.StackDataset()"),
    Row(DATA + "D.StackDataset([1], [1, 2])"),
    Row(DATA + "D.StackDataset(a=[1], b=[1, 2])"),
    Row(DATA + "D.StackDataset([1], b=[1])"),
    Row(
        DATA + "Bad = type('Bad', (list,), {'__getitems__': lambda self, i: [0]}); D.StackDataset(Bad([1, 2]), [1, 2]).__getitems__([0, 1])"
    ),
    Row(DATA + "d = D.ConcatDataset([[1, 2], [], 'abc']); (len(d), list(d), d[-1], d[-5], d.cumulative_sizes)"),
    Row(DATA + "D.ConcatDataset([[1, 2]])[-3]"),
    Row(DATA + "D.ConcatDataset([[1, 2]])[2]"),
    Row(DATA + "D.ConcatDataset([])"),
    Row(DATA + "D.ConcatDataset([[1, 2]]).cummulative_sizes", warns=True),
    Row(STREAM + "D.ConcatDataset([S()])"),
    Row(STREAM + "c = D.ChainDataset([S(), S()]); (len(c), list(c))"),
    Row(STREAM + "list(D.ChainDataset([S(), [1]]))"),
    Row(STREAM + "len(D.ChainDataset([[1]]))"),
    Row(STREAM + "(type(S() + S()), list(S() + S()))"),
    Row(DATA + "d = D.TensorDataset(x) + D.TensorDataset(x); (type(d), len(d), d[3])", x=randn(2, 2)),
    Row(DATA + "s = D.Subset('abcdef', [5, 0, 2]); (len(s), s[0], s[-1], s.__getitems__([2, 1]), s.indices)"),
    Row(DATA + "D.Subset(x, [3, 1])[[0, 1]]", x=randn(4, 2)),
    Row(DATA + "type('Half', (D.Subset,), {'__getitem__': lambda self, i: 0})([1], [0])"),
    Row(DATA + "D.Dataset[int] is not D.Dataset, isinstance(D.TensorDataset(torch.zeros(1)), D.Dataset)", name="generic aliases"),
)

SPLIT = DATA + "split = lambda *a, **k: [s.indices for s in D.random_split(*a, **k)]; "
SEEDED = SPLIT + "g = torch.Generator().manual_seed(5); "

test_random_split = rows(
    Row(SPLIT + "split(range(10), [3, 7])"),
    Row(SPLIT + "split(range(10), [3, 7], generator=None)"),
    Row(SEEDED + "split(range(10), [3, 7], g), torch.randn(2)"),
    Row(SEEDED + "split(range(31), [0.3, 0.3, 0.4], generator=g)"),
    Row(SEEDED + "split(range(10), [0.99, 0.005, 0.005], g)", warns=True),
    Row(SPLIT + "split([], [])"),
    Row(SPLIT + "split(range(5), [1])"),
    Row(SPLIT + "split(range(5), [5, 0])"),
    Row(SPLIT + "split(range(5), [2, 2])"),
    Row(SPLIT + "split(range(5), [-1, 6])"),
    Row(SPLIT + "split(range(5), [0.5, 0.7, -0.2])"),
    Row(SPLIT + "split(range(5), (0.5, 0.5))"),
)


@parity
def test_names_of_the_classes(torch):
    names = "Dataset IterableDataset TensorDataset StackDataset ConcatDataset ChainDataset Subset Sampler BatchSampler DataLoader"
    return [getattr(torch.utils.data, name) for name in names.split()]


@pytest.mark.parametrize("protocol", range(2, 6))
def test_datasets_pickle(protocol):
    data = flambeau.utils.data
    dataset = data.Subset(data.ConcatDataset([data.StackDataset([1, 2], [3, 4]), [7]]), [2, 0])
    copy = pickle.loads(pickle.dumps(dataset, protocol))
    assert type(copy) is data.Subset
    assert list(map(copy.__getitem__, range(2))) == [7, (1, 3)]
