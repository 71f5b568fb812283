"""`torch.utils.weak`, `swap_tensors`, `module_tracker`, `cpp_extension` and other small names of `torch.utils`."""

import importlib

import pytest

import flambeau
from harness import parity


@parity
def test_keys(torch):
    weak = importlib.import_module(f"{torch.__name__}.utils.weak")
    table = weak.WeakTensorKeyDictionary()
    key, other = torch.ones(1), torch.ones(1)
    table[key] = 5
    table[other] = 6
    copied = table.copy()
    first = len(table), table[key], key in table, torch.ones(1) in table, sorted(table.values()), table.get(torch.ones(1), "none")
    del table[other]
    del key
    reference = weak.TensorWeakRef(other)
    alive = reference() is other
    del other
    return first, len(table), list(table.items()), alive, reference(), len(copied)


@parity
def test_references_of_keys(torch):
    table, keys = importlib.import_module(f"{torch.__name__}.utils.weak").WeakTensorKeyDictionary(), [torch.ones(1), torch.zeros(1)]
    for number, key in enumerate(keys):
        table[key] = number
    return [[reference() is key for reference in table.keyrefs()] for key in keys]


@parity
def test_no_tensor(torch):
    importlib.import_module(f"{torch.__name__}.utils.weak").TensorWeakRef(3)


@parity
def test_swap_tensors(torch):
    a, b = torch.ones(2), torch.nn.Parameter(torch.zeros(3))
    b.mark = "mine"
    torch.utils.swap_tensors(a, b)
    return a.detach(), b, type(a).__name__, type(b).__name__, a.mark, hasattr(b, "mark"), a.requires_grad


@parity
def test_swap_with_a_weak_reference(torch):
    import weakref

    a = torch.ones(2)
    reference = weakref.ref(a)
    torch.utils.swap_tensors(a, torch.ones(3))
    return reference


@parity
def test_module_tracker(torch):
    tracker_module = importlib.import_module(f"{torch.__name__}.utils.module_tracker")
    seen = []

    class Inner(torch.nn.Module):
        def forward(self, x):
            seen.append(sorted(tracker.parents))
            return x * 2

    model = torch.nn.Sequential(torch.nn.Linear(1, 1), Inner())
    with tracker_module.ModuleTracker() as tracker:
        model(torch.ones(1, 1))
        during = tracker.is_bw
    return seen, during, sorted(tracker.parents)


def test_no_extensions():
    extension = importlib.import_module("flambeau.utils.cpp_extension")
    for name in ("load", "load_inline", "CppExtension", "CUDAExtension", "include_paths", "BuildExtension"):
        with pytest.raises(RuntimeError, match=f"flambeau has no C\\+\\+ library: torch.utils.cpp_extension.{name} is not supported"):
            getattr(extension, name)("x", [])
    assert extension.CUDA_HOME is None


@parity
def test_constants_of_hub(torch):
    hub = torch.hub
    return (
        hub.DEFAULT_CACHE_DIR, hub.ENV_GITHUB_TOKEN, hub.ENV_TORCH_HOME, hub.ENV_XDG_CACHE_HOME, hub.MODULE_HUBCONF, hub.READ_DATA_CHUNK,
        hub.VAR_DEPENDENCY,
    )  # fmt: skip


@parity
def test_settings_of_the_backward(torch):
    A = torch.autograd
    before = A.is_multithreading_enabled(), A.is_view_replay_enabled(), A.kineto_available()
    with A.set_multithreading_enabled(False):
        inside = A.is_multithreading_enabled()
    return before, inside, A.is_multithreading_enabled()


@parity
def test_compiler(torch):
    compiler = torch.compiler
    before = compiler.get_default_backend()
    compiler.set_default_backend("eager")
    after = compiler.get_default_backend()
    compiler.set_default_backend(None)
    wrapped = compiler.wrap_numpy(lambda a, b: (a + b, a.sum()))
    found = wrapped(torch.ones(2), torch.ones(2))
    return before, after, compiler.get_default_backend(), found[0], compiler.save_cache_artifacts()


@pytest.mark.parametrize("call", [
    "torch.sym_int(-2.7)", "torch.sym_float(3)", "torch.sym_max(4, 3.0)", "torch.sym_min(3, 4.0)", "torch.sym_max(2, 3)",
    "torch.sym_not(True)", "torch.sym_sum([1, 2, 3])", "torch.sym_ite(True, 1, 2)", "torch.sym_ite(3, 1, 2)", "torch.sym_sqrt(4)",
    "isinstance(3, torch.SymInt)", "torch.accelerator.Graph()",
])  # fmt: skip
@parity
def test_symbolic_functions(torch, call):
    return eval(call, {"torch": torch})


@pytest.mark.parametrize("call", [
    "torch.cond(True, torch.sin, torch.cos, (x,))", "torch.cond(torch.tensor(False), lambda x: x.sin(), lambda x: x.cos(), (x,))",
    "torch.cond(x, lambda x: x.sin(), lambda x: x.cos(), (x,))",
])  # fmt: skip
@parity
def test_cond(torch, call):
    torch._dynamo.config.disable = True
    return eval(call, {"torch": torch, "x": torch.ones(2)})


def test_while_loop():
    """PyTorch compiles the loop, which needs a C++ compiler."""
    torch = flambeau
    found = torch.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (torch.tensor(0), torch.ones(2)))
    assert found[0].item() == 3 and found[1].tolist() == [8.0, 8.0]
    with pytest.raises(RuntimeError):
        torch.while_loop(lambda i: i < 3, lambda i: i + 1, 0)
