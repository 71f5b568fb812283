"""The loader in one process, beside PyTorch: options, batches, errors, warnings, random numbers."""

import pickle

import pytest

import flambeau
from harness import Row, parity, randn, rows, run_python

DATA = "D = torch.utils.data; L = D.DataLoader; "
STREAM = (
    DATA + "S = type('S', (D.IterableDataset,), {'__iter__': lambda s: iter(range(5)), '__len__': lambda s: 3, '__str__': lambda s: 'S'}); "
)

test_batches = rows(
    Row(DATA + "l = L(range(7), batch_size=3); (len(l), list(l))"),
    Row(DATA + "l = L(range(7), 3, drop_last=True); (len(l), list(l))"),
    Row(DATA + "l = L(range(7)); (len(l), list(l))"),
    Row(DATA + "l = L('abc', batch_size=None); (len(l), list(l))"),
    Row(DATA + "l = L('abcdef', batch_size=4); (len(l), list(l))"),
    Row(DATA + "list(L(D.TensorDataset(x, y), batch_size=2))", x=randn(5, 3), y=randn(5)),
    Row(DATA + "list(L(D.Subset(D.TensorDataset(x, y), [4, 1, 0]), batch_size=2))", x=randn(5, 3), y=randn(5)),
    Row(DATA + "list(L(x, batch_size=2, shuffle=True))", x=randn(5, 3)),
    Row(DATA + "list(L(range(9), batch_sampler=[[1, 2], [8], [3, 3, 3]]))"),
    Row(DATA + "l = L(range(9), sampler=[5, 3, 1], batch_size=2); (len(l), list(l))"),
    Row(DATA + "list(L({'a': 1, 'b': 2}, sampler=['b', 'a'], batch_size=2))"),
    Row(DATA + "list(L(range(4), batch_size=2, collate_fn=lambda samples: samples))"),
    Row(DATA + "list(L(range(4), batch_size=None, collate_fn=str))"),
    Row(DATA + "list(L([]))"),
    Row(DATA + "Many = type('Many', (list,), {'__getitems__': lambda self, i: [self[j] * 10 for j in i]}); list(L(Many(range(5)), 2))"),
)

TENSORS = DATA + "T = D.TensorDataset(x, y); "

test_tensor_datasets = rows(
    Row(TENSORS + "list(L(T, batch_size=2, sampler=[3, -1, 0, 0]))", x=randn(5, 3), y=randn(5)),
    Row(TENSORS + "list(L(D.Subset(D.Subset(T, [4, 3, 1]), [2, 0]), batch_size=2))", x=randn(5, 3), y=randn(5), strides=True),
    Row(TENSORS + "list(L(T, batch_size=2))", x=randn(5, 3, 2).T, y=randn(3), strides=True, message="Size mismatch"),
    Row(TENSORS + "list(L(T, batch_size=2))", x=randn(5, 3).T, y=randn(3), strides=True),
    Row(TENSORS + "list(L(T, batch_size=2, sampler=[3, 5]))", x=randn(5, 3), y=randn(5)),
    Row(TENSORS + "list(L(T, batch_size=2, sampler=[True, False]))", x=randn(5, 3), y=randn(5)),
    Row(TENSORS + "list(L(T, batch_size=2))", x=randn(5, 3), y=randn(5), grad=True, name="inside a graph"),
    Row(TENSORS + "b = list(L(T, batch_size=2)); b[0][0].fill_(7); x", x=randn(5, 3), y=randn(5)),
    Row(TENSORS + "list(L(D.TensorDataset(x), batch_size=2))", x=randn(4, 0), y=randn(4)),
    Row(TENSORS + "list(L(T, batch_size=2))", x=randn(5, 3), y=randn(5), dtypes="bfloat16 bool int64 complex64"),
    Row(DATA + "My = type('My', (D.TensorDataset,), {'__getitem__': lambda s, i: s.tensors[0][i] + 1}); list(L(My(x), 2))", x=randn(4)),
)

test_streams = rows(
    Row(STREAM + "list(L(S(), batch_size=2)), list(L(S(), batch_size=2, drop_last=True)), list(L(S(), batch_size=None))", warns=True),
    Row(STREAM + "len(L(S())), len(L(S(), 2)), len(L(S(), 2, drop_last=True)), len(L(S(), batch_size=None))"),
    Row(STREAM + "l = L(S(), 2); len(l); list(l)", warns=True),
    Row(STREAM + "l = L(S(), None); len(l); list(l)", warns=True),
    Row(STREAM + "list(L(S(), shuffle=False))"),
    Row(STREAM + "L(S(), shuffle=True)"),
    Row(STREAM + "L(S(), shuffle=2)"),
    Row(STREAM + "L(S(), sampler=[1])"),
    Row(STREAM + "L(S(), batch_sampler=[[1]])"),
    Row(STREAM + "len(iter(L(S(), 2)))", message="."),
    Row(STREAM + "del S.__len__; len(L(S()))"),
)

test_errors = rows(
    Row(DATA + "L(range(3), num_workers=-1)"),
    Row(DATA + "L(range(3), num_workers=None)"),
    Row(DATA + "L(range(3), timeout=-1)"),
    Row(DATA + "list(L(range(3), timeout=2))"),
    Row(DATA + "L(range(3), prefetch_factor=2)"),
    Row(DATA + "L(range(3), num_workers=1, prefetch_factor=-2)"),
    Row(DATA + "iter(L(range(3), num_workers=1, prefetch_factor=0))"),
    Row(DATA + "L(range(3), persistent_workers=True)"),
    Row(DATA + "L(range(3), multiprocessing_context='fork')"),
    Row(DATA + "L(range(3), num_workers=1, multiprocessing_context='bad')", message="should specify a valid start method in"),
    Row(DATA + "L(range(3), num_workers=1, multiprocessing_context=3)"),
    Row(DATA + "L(range(3), shuffle=True, sampler=[1])"),
    Row(DATA + "L(range(3), batch_sampler=[[1]], batch_size=2)"),
    Row(DATA + "L(range(3), batch_sampler=[[1]], shuffle=True)"),
    Row(DATA + "L(range(3), batch_sampler=[[1]], drop_last=True)"),
    Row(DATA + "L(range(3), batch_size=None, drop_last=True)"),
    Row(DATA + "L(range(3), batch_size=0)"),
    Row(DATA + "L(range(3), batch_size='a')"),
    Row(DATA + "L(range(3), drop_last=1)"),
    Row(DATA + "L([], shuffle=True)"),
    Row(DATA + "L(5, shuffle=True)"),
    Row(DATA + "len(L(5))"),
    Row(DATA + "l = L(range(3)); l.batch_size = 2"),
    Row(DATA + "l = L(range(3)); l.dataset = 2"),
    Row(DATA + "l = L(range(3)); l.timeout = 2; l.collate_fn = str; list(l)"),
    Row(DATA + "l = L(range(3)); l.multiprocessing_context = 'fork'"),
    Row(DATA + "iter(L(range(3))).__getstate__()"),
    Row(DATA + "list(L(range(3), pin_memory=True))", warns=True),
    Row(DATA + "list(L(range(3), pin_memory=True, pin_memory_device='cuda'))", warns=True),
)


@parity
def test_attributes(torch):
    loader = torch.utils.data.DataLoader(range(10), batch_size=4, drop_last=True)
    names = (
        "batch_size drop_last num_workers prefetch_factor pin_memory pin_memory_device timeout worker_init_fn in_order generator "
        "persistent_workers multiprocessing_context _dataset_kind _auto_collation _iterator _IterableDataset_len_called"
    )
    kinds = [type(loader.sampler), type(loader.batch_sampler), type(iter(loader)), loader._index_sampler is loader.batch_sampler]
    return [getattr(loader, name) for name in names.split()], kinds, len(iter(loader)), str(loader).split(" at ")[0], sorted(vars(loader))


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("batch_size", [None, 3])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("steps", [0, 1, 99])
@parity
def test_random_numbers_drawn(torch, shuffle, batch_size, own, steps):
    generator = torch.Generator().manual_seed(8) if own else None
    loader = torch.utils.data.DataLoader(range(10), batch_size, shuffle, generator=generator)
    iterator = iter(loader)
    got = [batch for batch, _ in zip(iterator, range(steps))]
    drawn = torch.rand(1), torch.rand(1, generator=generator)
    return got, drawn, list(loader), torch.rand(1)


@parity
def test_the_sampler_draws_before_the_loader(torch):
    class Eager(torch.utils.data.Sampler):
        def __iter__(self):
            return iter([int(i) for i in torch.randperm(5)])

    loader = torch.utils.data.DataLoader(range(5), sampler=Eager())
    return list(loader), list(loader), torch.rand(1)


@parity
def test_training_order_over_epochs(torch):
    data = torch.utils.data
    torch.manual_seed(42)
    train, test = data.random_split(data.TensorDataset(torch.arange(20), torch.randn(20)), [0.8, 0.2])
    batches = [list(data.DataLoader(train, batch_size=6, shuffle=True)) for _ in range(2)]
    return batches, list(data.DataLoader(test, batch_size=6)), torch.randn(2)


@parity
def test_weighted_sampling_in_batches(torch):
    data = torch.utils.data
    sampler = data.WeightedRandomSampler([1.0, 0.0, 5.0, 2.0], 10)
    return list(data.DataLoader(range(4), batch_size=4, sampler=sampler))


def test_get_worker_info_is_none_here():
    assert flambeau.utils.data.get_worker_info() is None


def test_iterators_do_not_pickle():
    with pytest.raises(NotImplementedError):
        pickle.dumps(iter(flambeau.utils.data.DataLoader(range(3))))


def test_a_subclass_and_its_own_attributes():
    class Loader(flambeau.utils.data.DataLoader):
        def __init__(self, *args, **kwargs):
            self.extra = 1
            super().__init__(*args, **kwargs)

        def __iter__(self):
            return (batch + self.extra for batch in super().__iter__())

    assert [batch.tolist() for batch in Loader(range(4), batch_size=2)] == [[1, 2], [3, 4]]


def test_importing_the_loader_imports_no_processes():
    done = run_python("-c", "import flambeau.utils.data, sys; print('multiprocessing' in sys.modules)")
    assert done.stdout.strip() == "False"
