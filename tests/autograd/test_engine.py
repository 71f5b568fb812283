"""The backward walk: what it accumulates, keeps, frees and refuses, as PyTorch does."""

import gc
import threading

import pytest

import flambeau
from harness import Row, parity, randn, rows, value

test_errors = rows(
    Row("x.backward()", x=value([1.0])),
    Row("(x * 2).backward()", x=randn(3), grad=True),
    Row("(x * 2).sum().backward(torch.ones(2))", x=randn(3), grad=True),
    Row("y = x.exp().sum(); y.backward(); y.backward()", x=randn(3), grad=True),
    Row("y = (x * 2).sum(); y.backward(); y.backward(); x.grad", x=randn(3), grad=True),
    Row("torch.autograd.grad(x.sum(), z)", x=randn(3), z=randn(3), grad=True),
    Row("torch.autograd.grad(x.sum(), [x, z])", x=randn(3), z=randn(3).nograd, grad=True),
    Row("torch.autograd.grad(x.sum(), [x, z], allow_unused=True)", x=randn(3), z=randn(3), grad=True),
    Row("torch.autograd.grad(x.sum(), [x, z], materialize_grads=True)", x=randn(3), z=randn(3), grad=True),
    Row("torch.autograd.grad(x.sum(), [x, z], allow_unused=False, materialize_grads=True)", x=randn(3), z=randn(3), grad=True),
    Row("torch.autograd.grad([x.sum(), z.sum()], [x, z], [None])", x=randn(3), z=randn(3), grad=True),
    Row("torch.autograd.grad(x * 2, x, [3])", x=randn(3), grad=True),
    Row("torch.autograd.backward([x.sum(), z.sum()], [None])", x=randn(3), z=randn(3), grad=True),
    Row("x.sum().backward(inputs=[])", x=randn(3), grad=True),
    Row("torch.autograd.backward(x.sum(), inputs=[])", x=randn(3), grad=True),
    Row("(x * 1j).sum().backward()", x=randn(3), grad=True),
    Row("x.add_(1)", x=randn(3), grad=True),
    Row("x[0].mul_(2)", x=randn(3), grad=True),
    Row("x[0] = 1", x=randn(3), grad=True),
    Row("y = x.exp(); y.add_(1); y.sum().backward()", x=randn(3), grad=True),
    Row("y = x * 2; z = y * y; y.add_(1); z.sum().backward()", x=randn(3), grad=True),
    Row("y = x * 2; z = y.exp(); y.add_(1); z.sum().backward(); x.grad", x=randn(3), grad=True),
    Row("y = x * 2; z = y.pow(2); y[0] = 1; z.sum().backward()", x=randn(2, 3), grad=True),
    Row("w = x.detach().clone(); y = x * w; w.zero_(); y.sum().backward()", x=randn(3), grad=True),
    Row("y = x * 2; y.requires_grad_(False)", x=randn(3), grad=True),
    Row("y = x * 2; y.requires_grad = False", x=randn(3), grad=True),
    Row("torch.tensor([1, 2]).requires_grad_()"),
    Row("torch.tensor([1, 2], requires_grad=True)"),
    Row("x.grad = torch.zeros(4)", x=randn(3), grad=True),
    Row("x.grad = torch.zeros(3, dtype=torch.float64)", x=randn(3), grad=True),
    Row("x.grad = 3", x=randn(3), grad=True),
    Row("x.grad = x", x=randn(3), grad=True),
    Row("x.numpy()", x=randn(3), grad=True),
    Row("y = x.requires_grad_(); torch.no_grad()(y.numpy)().tolist()", x=randn(3)),
    Row("x.retain_grad()", x=randn(3)),
    Row("x.register_hook(print)", x=randn(3)),
    Row("(x * 2).register_post_accumulate_grad_hook(print)", x=randn(3), grad=True),
    Row("x.register_post_accumulate_grad_hook(print)", x=randn(3)),
    Row("(x * 2).grad", x=randn(3), grad=True, warns=True),
    Row("import copy; copy.deepcopy(x * 2)", x=randn(3), grad=True),
    Row("x.is_leaf, (x * 2).is_leaf, x.detach().is_leaf, x.retains_grad, (x * 2).retains_grad", x=randn(3), grad=True),
    Row("(x * 2).grad_fn.name(), x.grad_fn, repr(type((x * 2).grad_fn).__name__)", x=randn(3), grad=True),
    Row("y = x * 2; [(type(f).__name__, i) for f, i in y.sum().grad_fn.next_functions]", x=randn(3), grad=True),
    Row(
        "y = (x + z).grad_fn.next_functions; y[0][0].variable is x, y[0][0].name(), y[1][0] is None",
        x=randn(3),
        z=randn(3).nograd,
        grad=True,
    ),
    Row("(x * 2).grad_fn.next_functions[0][0] is (x + 1).grad_fn.next_functions[0][0]", x=randn(3), grad=True),
    Row("x.sum().item(), float(x.sum()), bool(x.sum() > 9)", x=randn(3), grad=True),
)  # fmt: skip


@parity
def test_accumulation(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    first = x.grad
    (x * 3).sum().backward()
    same = x.grad is first
    x.grad = None
    (x.exp()).sum().backward()
    return x.grad, first, same, x.grad is first


@parity
def test_gradients_share_no_memory(torch):
    a = torch.ones(3, requires_grad=True)
    b = torch.ones(3, requires_grad=True)
    g = torch.full((3,), 2.0)
    (a + b).backward(g)
    a.grad.mul_(10)
    return a.grad, b.grad, g, a.grad.data_ptr() != b.grad.data_ptr(), a.grad.requires_grad


@parity
def test_gradient_of_expanded(torch):
    x = torch.ones(2, 3, requires_grad=True)
    x.sum().backward()
    x.grad[0, 0] = 5
    y = torch.ones(2, 3).t().contiguous().t().requires_grad_()
    (y * 2).sum().backward()
    return x.grad, x.grad.stride(), y.grad.stride()


@parity
def test_retain_graph(torch):
    x = torch.tensor([0.5, 1.5], requires_grad=True)
    y = x.exp().sum()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    twice = x.grad.clone()
    y.backward()
    return twice, x.grad


@parity
def test_inputs_receive_alone(torch):
    x, w = torch.ones(2, requires_grad=True), torch.full((2,), 3.0, requires_grad=True)
    y = x * w
    z = y * y
    z.sum().backward(inputs=[w, y], retain_graph=True)
    first = x.grad, w.grad.clone(), y.grad.clone()
    z.sum().backward(inputs=w)
    return first, x.grad, w.grad, y.grad


@parity
def test_create_graph(torch):
    x = torch.tensor([0.3, -0.7], requires_grad=True)
    y = (x**3).sum()
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x, create_graph=True)
    (t,) = torch.autograd.grad(h.sum(), x)
    y.backward(create_graph=True)
    penalty = (x.grad**2).sum()
    kept = x.grad.clone()
    penalty.backward()
    return g, h, t, kept, x.grad


@parity
def test_gradient_with_respect_to_inner_values(torch):
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    z = y.sin()
    values = torch.autograd.grad(z.sum(), [y, x, z], retain_graph=True)
    same = torch.autograd.grad(z, z, torch.ones(3))
    parts = x.unbind()
    return values, same, torch.autograd.grad((parts[0] * parts[2]), [parts[2], parts[0]])


@parity
def test_batched_gradients(torch):
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    return torch.autograd.grad(x**2, x, torch.eye(3), is_grads_batched=True)


@parity
def test_tensor_hooks(torch):
    order = []
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    z = y * y
    x.register_hook(lambda g: order.append(("x1", g.tolist())))
    x.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: order.append(("x3", g.tolist())))
    y.register_hook(lambda g: order.append(("y", g.tolist())))
    handle = y.register_hook(lambda g: g + 1)
    y.register_hook(lambda g: order.append(("y after", g.tolist())))
    z.register_hook(lambda g: order.append(("z", g.tolist())))
    z.sum().backward(retain_graph=True)
    first = x.grad.clone()
    handle.remove()
    z.sum().backward()
    return order, first, x.grad


@parity
def test_node_hooks(torch):
    order = []
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    y = x * w

    def show(name):
        return lambda *values: order.append((name, [[None if v is None else v.tolist() for v in each] for each in values]))

    y.register_hook(lambda g: order.append(("tensor", g.tolist())))
    y.grad_fn.register_prehook(show("pre"))
    y.grad_fn.register_prehook(lambda grads: (grads[0] * 2,))
    y.grad_fn.register_hook(show("post"))
    y.grad_fn.register_hook(lambda ins, outs: (ins[0] * 100, None))
    y.grad_fn.register_hook(show("post 2"))
    handle = y.grad_fn.register_prehook(lambda grads: (grads[0] * 0,))
    handle.remove()
    y.sum().backward()
    return order, x.grad, w.grad


@parity
def test_leaf_hooks_of_all_kinds(torch):
    order = []
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    x.register_post_accumulate_grad_hook(lambda p: order.append(("post", p.grad.tolist())))
    x.register_hook(lambda g: order.append(("hook", g.tolist())))
    node = (x * 1).grad_fn.next_functions[0][0]
    node.register_hook(lambda ins, outs: order.append(("node", [o.tolist() for o in outs])))
    node.register_prehook(lambda grads: order.append(("pre", [g.tolist() for g in grads])))
    (x * 2).sum().backward()
    (x * 3).sum().backward()
    torch.autograd.grad((x * 5).sum(), x)
    return order


@parity
def test_optimizer_in_backward(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)

    def step(p):
        with torch.no_grad():
            p -= 0.1 * p.grad
        p.grad = None

    x.register_post_accumulate_grad_hook(step)
    for _ in range(3):
        (x * x).sum().backward()
    return x, x.grad


@parity
def test_retain_grad(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: g * 2)
    z = y.sin()
    z.retain_grad()
    z.retain_grad()
    z.sum().backward(retain_graph=True)
    first = y.grad.clone(), z.grad.clone(), y.retains_grad
    z.sum().backward()
    return first, y.grad, z.grad, x.grad


@parity
def test_in_place_keeps_history(torch):
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    y.mul_(x)
    y += 1
    y[1] = 0
    y.sum().backward()
    z = torch.zeros(3)
    z[1:] = x[:2] * 3
    z.sum().backward()
    return x.grad, y.grad_fn.name(), z.requires_grad, z.grad_fn.name(), z.is_leaf


@parity
def test_detach_shares_memory_and_version(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    d = y.detach()
    d.zero_()
    with torch.no_grad():
        version = y._version
    try:
        y.sum().backward()
    except RuntimeError as error:
        return version, str(error), x.data.requires_grad
    return "no error"


@parity
def test_data_escapes_the_version_counter(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    z = y * y
    y.data.fill_(5)
    z.sum().backward()
    return x.grad, y._version


@parity
def test_backward_inside_a_hook(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    seen = []

    def hook(g):
        with torch.enable_grad():
            w = torch.tensor([3.0], requires_grad=True)
            (w * w).sum().backward()
        seen.append(w.grad.tolist())
        return g * w.grad

    y = x * 2
    y.register_hook(hook)
    y.sum().backward()
    return x.grad, seen


@parity
def test_backward_inside_a_backward(torch):
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            with torch.enable_grad():
                ctx.x = x.detach().requires_grad_()
                ctx.y = ctx.x.sin() * ctx.x
            return ctx.y.detach()

        @staticmethod
        def backward(ctx, g):
            ctx.y.backward(g)
            return ctx.x.grad

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    Twice.apply(x * 2).sum().backward()
    return x.grad


@parity
def test_several_outputs_and_missing_gradients(torch):
    x = torch.arange(6.0).reshape(2, 3).requires_grad_()
    values, indices = x.max(dim=1)
    _, b, _ = x.split(1, dim=1)
    (values.sum() + (b * 2).sum()).backward()
    return x.grad, indices.requires_grad, values.grad_fn.name(), b.grad_fn.name(), b.output_nr


@parity
def test_grad_through_dtype_and_broadcast(torch):
    x = torch.ones(3, 1, requires_grad=True)
    y = torch.ones(4, dtype=torch.float64, requires_grad=True)
    (x * y).sum().backward()
    h = torch.ones(2, dtype=torch.float16, requires_grad=True)
    (h.float() * 3).sum().backward()
    return x.grad, y.grad, h.grad


@parity
def test_gradient_edges(torch):
    graph = torch.autograd.graph
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    z = y * y
    edge = graph.get_gradient_edge(y)
    found = torch.autograd.grad(z.sum(), [edge, graph.get_gradient_edge(x)], retain_graph=True)
    s = z.sum()
    torch.autograd.backward(graph.get_gradient_edge(s))
    return found, x.grad, edge.node.name(), edge.output_nr, isinstance(y.grad_fn, graph.Node)


@parity
def test_multi_grad_hooks(torch):
    a, b, c = (torch.tensor([float(i)], requires_grad=True) for i in range(1, 4))
    seen = []
    show = lambda grads: seen.append([None if g is None else g.tolist() for g in grads])
    handle = torch.autograd.graph.register_multi_grad_hook([a, b, c], show)
    (a * b).sum().backward()
    (a * b * c).sum().backward()
    handle.remove()
    (a * b * c).sum().backward()
    any_handle = torch.autograd.graph.register_multi_grad_hook([a, b, c], lambda g: seen.append(g.tolist()), mode="any")
    (c * 2).sum().backward()
    any_handle.remove()
    return seen


@parity
def test_saved_tensor_hooks(torch):
    seen = []

    def pack(t):
        seen.append(("pack", t.tolist(), t.requires_grad))
        return t.tolist()

    def unpack(values):
        seen.append(("unpack", values))
        return torch.tensor(values)

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = x.exp()
    z = y.sin()
    z.sum().backward()
    with torch.autograd.graph.save_on_cpu():
        (x * x).sum().backward()
    return seen, x.grad


test_saved_tensor_hook_errors = rows(
    Row(
        """
        with torch.autograd.graph.disable_saved_tensors_hooks("not now"):
            with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
                pass
        0
        """
    ),
    Row(
        """
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: 3):
            y = x.exp()
        y.sum().backward()
        0
        """,
        x=randn(3), grad=True,
    ),
    Row(
        """
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t.add_(1), lambda t: t):
            y = x.exp()
        0
        """,
        x=randn(3), grad=True,
    ),
    Row("torch.autograd.graph.get_gradient_edge(x)", x=randn(3)),
    Row("torch.autograd.graph.register_multi_grad_hook([x], print, mode='some')", x=randn(3), grad=True),
    Row("y = x.exp(); torch.autograd.graph.increment_version(y); y.sum().backward()", x=randn(3), grad=True),
)  # fmt: skip


@parity(warns=True)
def test_anomaly_detection_names_the_function(torch):
    x = torch.tensor([0.0], requires_grad=True)
    with torch.autograd.set_detect_anomaly(True):
        y = x.sqrt() * 0
        try:
            y.sum().backward()
        except RuntimeError as error:
            return str(error)


def test_anomaly_detection_shows_the_forward_line():
    x = flambeau.tensor([0.0], requires_grad=True)
    with flambeau.autograd.set_detect_anomaly(True):
        y = x.sqrt() * 0  # the line in question
        with pytest.warns(UserWarning, match="Error detected in SqrtBackward0(.|\n)*the line in question"), pytest.raises(RuntimeError):
            y.sum().backward()
    (x.sqrt() * 0).sum().backward()
    assert x.grad.isnan()


@pytest.mark.parametrize("count", [10_000, 100_000])
def test_long_chains(count):
    x = flambeau.ones(2, requires_grad=True)
    y = x
    for _ in range(count):
        y = y + 1
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
    del y


def test_no_cycles():
    """Nothing waits for the garbage collector: every graph goes with its last reference."""
    import weakref

    gc.collect()
    gc.disable()
    try:
        model = flambeau.nn.Sequential(flambeau.nn.Linear(4, 8), flambeau.nn.Tanh(), flambeau.nn.Linear(8, 1))
        for _ in range(20):
            x = flambeau.randn(5, 4)
            loss = (model(x).exp() ** 2).mean()
            loss.backward()
        hidden = model(x).exp()
        kept = weakref.ref(hidden), weakref.ref(hidden.grad_fn), weakref.ref(loss)
        del hidden, loss
        assert [ref() for ref in kept] == [None, None, None]
        for i in range(1300):
            if i == 300:  # by now what is compiled for a program that goes on has been
                before = len(gc.get_objects())
            y = model(flambeau.ones(5, 4))
            (y.max(dim=0)[0].sum() + y.softmax(0).sum()).backward()
        assert len(gc.get_objects()) - before < 100
    finally:
        gc.enable()


def test_threads_have_graphs_of_their_own():
    failures = []

    def work(seed):
        try:
            x = flambeau.full((3,), float(seed), requires_grad=True)
            for _ in range(50):
                x.grad = None
                (x * x).sum().backward()
                assert x.grad.tolist() == [2.0 * seed] * 3
            with flambeau.no_grad():
                assert not (x * 2).requires_grad
        except BaseException as error:
            failures.append(error)

    with flambeau.no_grad():
        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert not failures


@parity
def test_threads_share_a_leaf(torch):
    x = torch.zeros(3, requires_grad=True)

    def work():
        for _ in range(25):
            x.mul(2.0).sum().backward()

    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return x.grad


test_a_result_that_the_backward_takes_is_watched = rows(
    *(
        Row(f"{setup}; y.mul_(2); y.sum().backward(); x.grad", x=randn(1, 2, 6, 16), grad=True, name=name)
        for name, setup in {
            "flash attention": "y = F.scaled_dot_product_attention(x, x, x)",
            "attention of operators": "y = F.scaled_dot_product_attention(x[0, 0], x[0, 0], x[0, 0])",
            "qr": "y = torch.linalg.qr(x)[0]",
            "svd": "y = torch.linalg.svd(x)[1]",
            "max": "y = x.max(-1).values",
            "layer norm": "y = F.layer_norm(x, (16,))",
        }.items()
    )
)
