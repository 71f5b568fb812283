"""`torch.distributed` with one process, as PyTorch does it with the backend gloo."""

import pytest

import flambeau
from harness import parity, run_python


def attempt(call):
    """What a call gives, or the exception that it raises."""
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    yield
    if flambeau.distributed.is_initialized():
        flambeau.distributed.destroy_process_group()


def begin(torch):
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo", rank=0, world_size=1, store=torch.distributed.HashStore())
    return torch.distributed


def names(torch):
    """What the expressions below speak of."""
    return {
        "torch": torch, "d": torch.distributed, "nn": torch.nn, "x": torch.arange(3.0), "o": torch.zeros(3), "one": [torch.zeros(3)],
        "none": [None],
    }  # fmt: skip


WITHOUT_A_GROUP = """
    d.is_available(), d.is_initialized(), d.group.WORLD, d.GroupMember.WORLD, d.is_torchelastic_launched()
    d.is_nccl_available(), d.is_gloo_available(), d.is_mpi_available(), d.is_ucc_available(), d.is_xccl_available()
    d.is_backend_available("gloo"), d.is_backend_available("nccl"), d.get_default_backend_for_device("cpu")
    d.get_rank()
    d.get_world_size()
    d.get_backend()
    d.get_process_group_ranks(None)
    d.barrier()
    d.all_reduce(x)
    d.broadcast(x, 0)
    d.all_gather(one, x)
    d.all_gather_object(none, 1)
    d.broadcast_object_list([1])
    d.gather(x)
    d.reduce(x, 0)
    d.scatter(x)
    d.reduce_scatter(x, [x])
    d.all_to_all(one, [x])
    d.all_to_all_single(o, x)
    d.send(x, 0)
    d.recv(x, 0)
    d.destroy_process_group()
    d.new_group([0])
    d.init_process_group()
    d.init_process_group("gloo")
    d.init_process_group("mpi")
    d.init_process_group("gloo", rank=0, world_size=1)
    d.init_process_group("gloo", init_method="foo://", rank=0, world_size=1)
    d.init_process_group("gloo", init_method="file:///tmp/f", rank=0)
    d.init_process_group("gloo", init_method="file://", rank=0, world_size=1)
    d.init_process_group("gloo", init_method="tcp://127.0.0.1:29511", rank=0)
    d.init_process_group("gloo", init_method="tcp://127.0.0.1:29511", world_size=1)
    d.init_process_group("gloo", init_method="tcp://127.0.0.1", rank=0, world_size=1)
    d.init_process_group("gloo", rank=-1, world_size=1, store=d.HashStore())
    d.init_process_group("gloo", rank=0, store=d.HashStore())
    d.init_process_group("gloo", init_method="env://", store=d.HashStore(), rank=0, world_size=1)
    d.init_process_group("gloo", timeout=3, rank=0, world_size=1, store=d.HashStore())
    d.init_process_group(3)
    d.init_process_group("cpu:gloo,cuda:nccl", rank=0, world_size=1, store=d.HashStore())
    d.init_process_group("cpu:gloo,cpu:gloo", rank=0, world_size=1, store=d.HashStore())
    d.init_process_group("ucc", rank=0, world_size=1, store=d.HashStore())
    d.get_node_local_rank()
    d.get_node_local_rank(5)
    nn.parallel.DistributedDataParallel(nn.Linear(2, 2))
    torch.utils.data.DistributedSampler([1, 2, 3])
    torch.utils.data.DistributedSampler([1, 2, 3], num_replicas=2)
    str(d.ReduceOp.SUM), repr(d.ReduceOp.MAX), [int(op) for op in (d.ReduceOp.SUM, d.ReduceOp.BXOR)], d.ReduceOp.AVG.name
    [d.supports_complex(op) for op in (d.ReduceOp.SUM, d.ReduceOp.AVG, d.ReduceOp.PRODUCT, d.ReduceOp.MAX)]
    str(d.Backend("GLOO")), d.Backend.NCCL, d.Backend("gloo") == d.Backend.GLOO, str(d.Backend("Any"))
    d.Backend(3)
    str(d.default_pg_timeout), d.GroupMember.NON_GROUP_MEMBER
"""
WITH_A_GROUP = """
    d.is_initialized(), d.get_rank(), d.get_world_size(), str(d.get_backend()), d.get_backend_config()
    d.init_process_group("gloo")
    d.group.WORLD.size(), d.group.WORLD.rank(), d.group.WORLD.name(), d.group.WORLD.group_desc
    d.group.WORLD is d.GroupMember.WORLD, d.group.WORLD is d.distributed_c10d._get_default_group()
    d.barrier(), d.monitored_barrier()
    d.barrier(async_op=True).wait()
    d.all_reduce(x), x
    d.all_reduce(x, op=d.ReduceOp.AVG), d.all_reduce(x, op=d.ReduceOp.PRODUCT), x
    d.all_reduce(x, async_op=True).wait(), x
    d.all_reduce([x])
    d.all_reduce(x.numpy())
    d.all_reduce(torch.ones(2, 3).t())
    d.all_reduce(torch.ones(3, dtype=torch.complex64))
    d.all_reduce(torch.ones(3, dtype=torch.complex64), op=d.ReduceOp.MAX)
    d.all_reduce(torch.ones(3, dtype=torch.bool)), d.all_reduce(torch.ones(3, dtype=torch.bfloat16))
    d.all_reduce(torch.ones(3, dtype=torch.int16))
    d.all_reduce(x, op=d.ReduceOp.BAND)
    d.all_reduce(torch.tensor([1, 2]), op=d.ReduceOp.BAND)
    d.all_reduce(torch.tensor([1, 2]), op=d.ReduceOp.AVG)
    d.all_reduce(torch.ones(2, requires_grad=True))
    d.broadcast(x, 0), x
    d.broadcast(x, src=1)
    d.broadcast(x)
    d.all_gather(one, x), one
    d.all_gather([o, o], x)
    d.all_gather([], x)
    d.all_gather([torch.zeros(2)], x)
    d.all_gather([torch.zeros(3, dtype=torch.int64)], x)
    d.all_gather(x, x)
    d.all_gather_single(o, x), o
    d.all_gather_into_tensor(o, x), o
    d.gather(x)
    d.gather(x, one), one
    d.gather(x, [])
    d.gather(x, one, dst=1)
    d.gather(torch.ones(3, dtype=torch.complex64), [torch.ones(3, dtype=torch.complex64)])
    d.reduce(x, 0), x
    d.reduce(x, 3)
    d.scatter(o)
    d.scatter(o, [x]), o
    d.scatter(o, [x, x])
    d.scatter(o, [x], src=1)
    d.reduce_scatter(o, [x]), o
    d.reduce_scatter_single(o, x), o
    d.reduce_scatter_tensor(o, x), o
    d.all_to_all(one, [x]), one
    d.all_to_all([o, o], [x, x])
    d.all_to_all([torch.zeros(3)], [torch.zeros(2)])
    d.all_to_all_single(o, x), o
    d.all_to_all_single(o, x, [3], [3]), o
    d.all_to_all_single(o, x, [2], [3])
    d.send(x, 0)
    d.get_group_rank(d.group.WORLD, 0), d.get_global_rank(d.group.WORLD, 0), d.get_process_group_ranks(None)
    d.new_group().size(), d.new_group([0]).rank(), d.get_rank(d.new_group([0])), str(d.get_backend(d.new_group([0])))
    d.new_group([1])
    d.new_group([0, 0])
    d.get_rank(d.GroupMember.NON_GROUP_MEMBER), d.get_world_size(d.GroupMember.NON_GROUP_MEMBER)
    d.all_gather_object(none, {1: 2}), none
    d.gather_object(3, none), none
    d.gather_object(3)
    d.scatter_object_list(none, [5]), none
    d.scatter_object_list(none, [5, 6])
    d.P2POp(d.isend, x, 0)
    d.batch_isend_irecv([])
    d.all_reduce_coalesced([x]), x
    d.all_gather_coalesced([[o]], [x]), o
    nn.parallel.DistributedDataParallel(nn.Linear(2, 2))
    nn.parallel.DistributedDataParallel(nn.ReLU())
    nn.parallel.DistributedDataParallel(nn.Linear(2, 2), device_ids=[0])
    nn.parallel.DistributedDataParallel(nn.Linear(2, 2), device_ids=[])
    nn.parallel.DistributedDataParallel(nn.Linear(2, 2), device_ids=[0, 1])
    nn.parallel.DistributedDataParallel(nn.Linear(2, 2), broadcast_buffers=False).forward_sync_buffers
    nn.parallel.DistributedDataParallel(nn.Linear(2, 2), broadcast_buffers=False, forward_sync_buffers=True).broadcast_buffers
    nn.parallel.DistributedDataParallel(nn.Linear(2, 2), check_reduction=True).dim
    nn.parallel.DistributedDataParallel(nn.LazyLinear(2))
    list(torch.utils.data.DistributedSampler(range(10)))
    d.destroy_process_group(d.new_group([0])), d.is_initialized()
"""


def lines(text):
    return [line.strip() for line in text.strip().splitlines()]


@pytest.mark.parametrize("expression", lines(WITHOUT_A_GROUP))
@parity(warns=True)
def test_without_a_group(torch, expression):
    return attempt(lambda: shown(eval(expression, names(torch))))


@pytest.mark.parametrize("expression", lines(WITH_A_GROUP))
@parity(warns=True)
def test_with_a_group(torch, expression):
    begin(torch)
    try:
        return attempt(lambda: shown(eval(expression, names(torch))))
    finally:
        torch.distributed.destroy_process_group()


def shown(value):
    """Results that can be compared: modules and the like by their text."""
    if isinstance(value, tuple):
        return tuple(shown(each) for each in value)
    return repr(value) if type(value).__name__ in ("DistributedDataParallel", "P2POp") else value


@parity
def test_ways_to_begin(torch):
    import os

    d, found = torch.distributed, []
    os.environ.update(RANK="0", WORLD_SIZE="1", MASTER_ADDR="127.0.0.1", MASTER_PORT="29631")
    alone = {"rank": 0, "world_size": 1}
    tcp, store = {"init_method": "tcp://127.0.0.1:29641"}, {"backend": "cpu:gloo", "store": d.HashStore()}
    for options in ({}, {"backend": "gloo"}, {"init_method": "env://"}, tcp | alone, store | alone):
        d.init_process_group(**options)
        found.append((str(d.get_backend()), d.get_backend_config(), d.get_rank(), d.get_world_size()))
        d.destroy_process_group()
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        del os.environ[name]
    return found


@parity
def test_stores(torch):
    from datetime import timedelta

    d = torch.distributed
    store = d.HashStore()
    found = [str(store.timeout), store.set("a", "1"), store.get("a"), store.add("n", 2), store.add("n", 3), store.num_keys()]
    found += [store.check(["a"]), store.check(["a", "z"]), store.delete_key("a"), store.delete_key("a"), store.wait(["n"])]
    found += [store.compare_set("b", "", "x"), store.compare_set("b", "x", "y"), store.compare_set("b", "x", "z")]
    found += [store.append("b", "more"), store.get("b")]
    store.set_timeout(timedelta(milliseconds=20))
    found.append(attempt(lambda: store.get("nowhere")))
    prefixed = d.PrefixStore("pre", store)
    prefixed.set("q", "w")
    found += [prefixed.get("q"), store.get("pre/q"), prefixed.check(["q"]), prefixed.check(["b"])]
    found += [issubclass(d.DistStoreError, d.DistError), issubclass(d.DistError, RuntimeError), d.DistBackendError.__name__]
    return found


@parity
def test_batch_norm_over_processes(torch):
    layer, x = torch.nn.SyncBatchNorm(2), torch.randn(4, 2)
    found = [layer(x), layer.eval()(x), layer.running_mean]
    begin(torch)
    found += [attempt(lambda: layer.train()(x)), layer.eval()(x)]
    found += [torch.nn.SyncBatchNorm(2, process_group=torch.distributed.group.WORLD).eval()(x)]
    torch.distributed.destroy_process_group()
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Sequential(torch.nn.BatchNorm1d(3, affine=False)))
    found += [repr(torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)), attempt(lambda: torch.nn.SyncBatchNorm(2)(torch.ones(2)))]
    return found


@parity
def test_distributed_sampler(torch):
    data = torch.utils.data
    DistributedSampler = data.DistributedSampler
    found = []
    for length in (1, 7, 10, 50):
        for replicas in (1, 2, 3, 4):
            for options in ({}, {"drop_last": True}, {"shuffle": False}, {"seed": 5}, {"shuffle": False, "drop_last": True}):
                for rank in range(replicas):
                    sampler = DistributedSampler(range(length), replicas, rank, **options)
                    orders = []
                    for epoch in (0, 3):
                        sampler.set_epoch(epoch)
                        orders.append(attempt(lambda sampler=sampler: list(sampler)))
                    found.append((len(sampler), orders))
    for rank in (-1, 2):
        found.append(attempt(lambda rank=rank: DistributedSampler([1], 2, rank)))
    begin(torch)
    loader = data.DataLoader(torch.arange(10), batch_size=4, sampler=DistributedSampler(range(10)))
    found.append(list(loader))
    torch.distributed.destroy_process_group()
    return found


def test_a_world_of_several_processes_comes_later(monkeypatch):
    d = flambeau.distributed
    for given in (
        {"store": d.HashStore(), "rank": 0, "world_size": 2},
        {"init_method": "tcp://127.0.0.1:29651", "rank": 1, "world_size": 4},
        {"init_method": "file:///nowhere", "rank": 0, "world_size": 2},
    ):
        with pytest.raises(NotImplementedError, match=r"a world of \d processes: .* come in a later version"):
            d.init_process_group("gloo", **given)
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "29651")):
        monkeypatch.setenv(name, value)
    with pytest.raises(NotImplementedError, match="a world of 2 processes"):
        d.init_process_group()
    assert not d.is_initialized()
    with pytest.raises(NotImplementedError):
        d.TCPStore("127.0.0.1", 29651, 1, False)
    begin(flambeau)
    for call in (lambda: d.recv(flambeau.ones(2)), lambda: d.send(flambeau.ones(2), 1), lambda: d.irecv(flambeau.ones(2), 3)):
        with pytest.raises(RuntimeError, match=r"one process|the group has one"):
            call()
    from flambeau.distributed.fsdp import FullyShardedDataParallel

    with pytest.raises(NotImplementedError, match="DistributedDataParallel or the module itself"):
        FullyShardedDataParallel(flambeau.nn.Linear(2, 2))


SCRIPT = """\
import os, sys
import torch
import torch.distributed as dist
dist.init_process_group("gloo")
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
model(torch.ones(3, 2)).sum().backward()
print(dist.get_rank(), dist.get_world_size(), os.environ["LOCAL_RANK"], dist.is_torchelastic_launched(), sys.argv[1:], torch.__version__)
dist.destroy_process_group()
"""


@pytest.mark.parametrize("module", ["run", "launch"])
def test_run_starts_one_process(tmp_path, module):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    options = ["-m", f"flambeau.distributed.{module}", "--nproc_per_node=1", "--standalone"]
    done = run_python(*options, script, "--epochs", "3")
    assert done.stdout.split("\n")[0] == f"0 1 0 True ['--epochs', '3'] {flambeau.__version__}"
    refused = run_python("-m", f"flambeau.distributed.{module}", "--nproc_per_node=2", script, check=False)
    assert refused.returncode == 1 and "groups of several processes come in a later version" in refused.stderr


def test_importing_it_is_not_part_of_importing_flambeau():
    done = run_python("-c", "import sys, flambeau; print([n for n in sys.modules if 'distributed' in n])")
    assert done.stdout.strip() == "[]"
