"""Hooks of modules: forward, backward, global, and their handles."""

import copy
import pickle

from harness import parity


def doubling(torch):
    class Doubling(torch.nn.Module):
        def forward(self, x, *, plus=0, fail=False):
            if fail:
                raise ValueError("failed in forward")
            return x * 2 + plus

    return Doubling()


@parity
def test_forward_hooks(torch):
    """Order, replacement of arguments and results, keyword arguments, removal."""
    m = doubling(torch)
    x = torch.ones(2)
    log = []
    handles = [
        m.register_forward_pre_hook(lambda module, args: log.append(("pre", len(args)))),
        m.register_forward_pre_hook(lambda module, args: args[0] + 1),
        m.register_forward_pre_hook(lambda module, args: log.append("first"), prepend=True),
        m.register_forward_pre_hook(lambda module, args, kwargs: (args, {**kwargs, "plus": 5}), with_kwargs=True),
        m.register_forward_hook(lambda module, args, out: log.append(("post", args[0].tolist(), out.tolist()))),
        m.register_forward_hook(lambda module, args, out: out * 10),
        m.register_forward_hook(lambda module, args, kwargs, out: log.append(sorted(kwargs.items())), with_kwargs=True, prepend=True),
    ]
    out = [m(x)]
    handles[1].remove()
    handles[5].remove()
    handles[5].remove()
    out.append(m(x, plus=1))
    with m.register_forward_hook(lambda module, args, result: -result):
        out.append(m(x))
    for handle in handles:
        handle.remove()
    out.append(m(x))
    out.append([len(m._forward_hooks), len(m._forward_pre_hooks), len(m._forward_hooks_with_kwargs), len(m._forward_pre_hooks_with_kwargs)])
    return out, log


@parity
def test_pre_hook_must_return_a_pair(torch):
    m = doubling(torch)
    m.register_forward_pre_hook(lambda module, args, kwargs: args, with_kwargs=True)
    return m(torch.ones(1))


@parity(warns=True)
def test_always_call(torch):
    """These hooks run although forward raised; what they raise is a warning."""
    m = doubling(torch)
    log = []
    m.register_forward_hook(lambda module, args, out: log.append("never"))
    m.register_forward_hook(lambda module, args, out: log.append(("always", out)), always_call=True)
    m.register_forward_hook(lambda module, args, kwargs, out: log.append(("kwargs", sorted(kwargs))), always_call=True, with_kwargs=True)

    def broken(module, args, out):
        raise RuntimeError("broken hook")

    m.register_forward_hook(broken, always_call=True)
    glob = torch.nn.modules.module.register_module_forward_hook(lambda module, args, out: log.append("global"), always_call=True)
    try:
        m(torch.ones(1), fail=True)
    except ValueError as error:
        log.append(str(error))
    finally:
        glob.remove()
    return log


@parity
def test_global_forward_hooks(torch):
    """They run ahead of the module's own."""
    module = torch.nn.modules.module
    m = torch.nn.Sequential(doubling(torch), doubling(torch))
    log = []
    m[0].register_forward_pre_hook(lambda mod, args: log.append("own pre"))
    m[0].register_forward_hook(lambda mod, args, out: log.append("own"))
    handles = [
        module.register_module_forward_pre_hook(lambda mod, args: log.append(f"pre {type(mod).__name__}")),
        module.register_module_forward_hook(lambda mod, args, out: log.append(f"post {type(mod).__name__}")),
        module.register_module_forward_hook(lambda mod, args, out: out + 1 if isinstance(mod, torch.nn.Sequential) else None),
    ]
    out = [m(torch.ones(1))]
    for handle in handles:
        handle.remove()
    out.append(m(torch.ones(1)))
    return out, log, bool(module._has_any_global_hook())


@parity
def test_full_backward_hooks(torch):
    """They see gradients of inputs and outputs, and may replace the former."""
    m = doubling(torch)
    x = torch.ones(2, requires_grad=True)
    log = []

    def plain(value):
        return [None if t is None else t.tolist() for t in value]

    m.register_full_backward_hook(lambda mod, gin, gout: log.append(("hook", plain(gin), plain(gout))))
    replace = m.register_full_backward_hook(lambda mod, gin, gout: (gin[0] * 100,))
    m.register_full_backward_pre_hook(lambda mod, gout: log.append(("pre", plain(gout))))
    m.register_full_backward_pre_hook(lambda mod, gout: (gout[0] + 1,), prepend=True)
    (m(x) * 3).sum().backward()
    grads = [x.grad.clone()]
    replace.remove()
    x.grad = None
    m(x).sum().backward()
    grads.append(x.grad)
    return grads, log


@parity
def test_full_backward_hooks_with_several_tensors(torch):
    """Inputs that are no tensors or need no gradient show as None; outputs may be a tuple."""

    class Two(torch.nn.Module):
        def forward(self, a, text, b):
            return a * 2, a + b

    m = Two()
    log = []
    m.register_full_backward_hook(
        lambda mod, gin, gout: log.append([[None if t is None else t.tolist() for t in each] for each in (gin, gout)])
    )
    a = torch.ones(2, requires_grad=True)
    first, second = m(a, "text", torch.ones(2))
    (first.sum() + 3 * second.sum()).backward()
    return log, a.grad


@parity(warns=True)
def test_full_backward_hook_without_inputs_that_need_gradients(torch):
    """It runs when the outputs' gradients are known, with a warning."""

    class Scale(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(2))

        def forward(self, x):
            return x * self.w

    m = Scale()
    log = []
    m.register_full_backward_hook(lambda mod, gin, gout: log.append([gin, [t.tolist() for t in gout]]))
    m(torch.ones(2)).sum().backward()
    return log, m.w.grad


@parity
def test_backward_hook_kinds_do_not_mix(torch):
    m = doubling(torch)
    m.register_full_backward_hook(lambda *args: None)
    return m.register_backward_hook(lambda *args: None)


@parity
def test_backward_hook_kinds_do_not_mix_the_other_way(torch):
    m = doubling(torch)
    m.register_backward_hook(lambda *args: None)
    return m.register_full_backward_hook(lambda *args: None)


@parity
def test_backward_hook_with_a_wrong_number_of_gradients(torch):
    m = doubling(torch)
    m.register_full_backward_hook(lambda mod, gin, gout: (gin[0], gin[0]))
    m(torch.ones(2, requires_grad=True)).sum().backward()


@parity
def test_backward_pre_hook_with_a_wrong_number_of_gradients(torch):
    m = doubling(torch)
    m.register_full_backward_pre_hook(lambda mod, gout: (gout[0], gout[0]))
    m(torch.ones(2, requires_grad=True)).sum().backward()


@parity(warns=True)
def test_deprecated_backward_hook(torch):
    """It hangs on the last operator, and says what it misses."""

    class One(torch.nn.Module):
        def forward(self, x):
            return x * 2

    log = []
    x = torch.ones(2, requires_grad=True)
    for m in (One(), doubling(torch)):
        m.register_backward_hook(lambda mod, gin, gout: log.append([type(mod).__name__, gout[0].tolist()]))
        m(x).sum().backward()
    return log, x.grad


@parity
def test_hooks_survive_copies(torch):
    """A deep copy and an unpickled module call them, too, and a new hook does not take an old one's place."""
    m = torch.nn.Sequential(torch.nn.Sequential())
    m.register_forward_hook(add_one)
    out = []
    for twin in (copy.deepcopy(m), pickle.loads(pickle.dumps(m))):
        twin.register_forward_pre_hook(double_first)
        out.append(twin(torch.ones(1)))
    return out


def add_one(module, args, out):
    return out + 1


def double_first(module, args):
    return args[0] * 2


@parity
def test_handle_goes_with_a_copy(torch):
    """A handle that is copied together with its module removes the copy's hook."""
    m = torch.nn.Sequential()
    m.handle = m.register_forward_hook(add_one)
    twin = copy.deepcopy(m)
    twin.handle.remove()
    return m(torch.ones(1)), twin(torch.ones(1)), twin.handle.id == m.handle.id
