"""Clipping of gradients, and parameters as one vector."""

from harness import Row, parity, rows

SETUP = """
def params(*grads):
    result = []
    for g in grads:
        p = nn.Parameter(torch.zeros(g.shape, dtype=g.dtype) if g is not None else torch.zeros(2))
        p.grad = g
        result.append(p)
    return result
a, b = torch.tensor([3.0, 4.0]), torch.tensor([[1.0, -2.0], [2.0, 5.0]])
ps = params(a.clone(), None, b.clone())
grads = lambda ps: [p.grad for p in ps]
"""


def each(*expressions, **options):
    return [Row(SETUP + expression, name=expression, **options) for expression in expressions]


test_norm = rows(
    *each(
        "nn.utils.clip_grad_norm_(ps, 1.0), grads(ps)",
        "nn.utils.clip_grad_norm_(ps, 100.0), grads(ps)",
        "nn.utils.clip_grad_norm_(ps, 2, norm_type=1), grads(ps)",
        "nn.utils.clip_grad_norm_(ps, 2, norm_type=3.5), grads(ps)",
        "nn.utils.clip_grad_norm_(ps, 2, norm_type='inf'), grads(ps)",
        "nn.utils.clip_grad_norm_(ps, 2, norm_type=float('inf'), foreach=False), grads(ps)",
        "nn.utils.clip_grad_norm_(ps, 2, norm_type=0), grads(ps)",
        "nn.utils.clip_grad_norm_(ps[0], 1.0), grads(ps)",
        "nn.utils.clip_grad_norm_(iter(ps), 1.0), grads(ps)",
        "nn.utils.clip_grad_norm_((p for p in ps), 1.0), grads(ps)",
        "nn.utils.clip_grad_norm_([], 1.0)",
        "nn.utils.clip_grad_norm_(ps, float('inf')), grads(ps)",
        "nn.utils.clip_grad_norm_(ps, 0.0), grads(ps)",
        "ps = params(a.double(), b.double()); nn.utils.clip_grad_norm_(ps, 1.0), grads(ps)",
        "ps = params(a.double(), b); nn.utils.clip_grad_norm_(ps, 1.0), grads(ps)",
        "ps = params(a.half(), b.half()); nn.utils.clip_grad_norm_(ps, 1.0), grads(ps)",
        "ps = params(a.bfloat16(), b); nn.utils.clip_grad_norm_(ps, 1.0), grads(ps)",
        "ps = params(b.t()); nn.utils.clip_grad_norm_(ps, 1.0), grads(ps)",
        "ps = params(torch.zeros(2)); nn.utils.clip_grad_norm_(ps, 1.0), grads(ps)",
        "ps = params(torch.tensor([1.0, math.nan])); nn.utils.clip_grad_norm_(ps, 1.0), grads(ps)",
        "ps = params(torch.tensor([1.0, math.inf])); nn.utils.clip_grad_norm_(ps, 1.0), grads(ps)",
        "ps = params(torch.tensor([1e30, 1.0])); nn.utils.clip_grad_norm_(ps, 1.0), grads(ps)",
        "ps = params(torch.tensor([1.0, math.inf])); nn.utils.clip_grad_norm_(ps, 1.0, error_if_nonfinite=True)",
        "ps = params(torch.tensor([1.0, math.nan])); nn.utils.clip_grad_norm_(ps, 1.0, 'inf', True)",
        "nn.utils.clip_grad_norm_(ps, 'text')",
        "nn.utils.clip_grad_norm_(ps, 1.0, norm_type='text')",
        "nn.utils.get_total_norm([a, b]), nn.utils.get_total_norm(a, 1), nn.utils.get_total_norm([])",
        "nn.utils.get_total_norm([a, torch.tensor([1, 2])])",
        "nn.utils.get_total_norm([torch.ones(0)], float('inf'))",
        "nn.utils.clip_grads_with_norm_(ps, 1.0, torch.tensor(10.0)), grads(ps)",
        "nn.utils.clip_grads_with_norm_(ps, 1.0, torch.tensor(10.0, dtype=torch.float64)), grads(ps)",
        "g = ps[0].grad; nn.utils.clip_grad_norm_(ps, 1.0); g is ps[0].grad, g._version",
    ),
    *each("nn.utils.clip_grad_norm_((p for p in []), 1.0)", "nn.utils.clip_grad_norm(ps, 1.0), grads(ps)", warns=True),
)

test_value = rows(
    *each(
        "nn.utils.clip_grad_value_(ps, 2.5), grads(ps)",
        "nn.utils.clip_grad_value_(ps[2], 2), grads(ps)",
        "ps = params(a.half(), b.bfloat16()); nn.utils.clip_grad_value_(ps, 1.5), grads(ps)",
        "ps = params(torch.tensor([math.nan, math.inf, -math.inf, 0.5])); nn.utils.clip_grad_value_(ps, 1.5), grads(ps)",
        "nn.utils.clip_grad_value_(ps, 'text')",
    )
)

test_vectors = rows(
    *each(
        "nn.utils.parameters_to_vector([ps[0], ps[2]])",
        "nn.utils.vector_to_parameters(torch.arange(6.0), [ps[0], ps[2]]); ps",
        "p = ps[0]; nn.utils.vector_to_parameters(torch.arange(2.0), [p]); p.requires_grad, p.is_leaf, p",
        "nn.utils.parameters_to_vector([])",
        "nn.utils.vector_to_parameters(3, [])",
        "nn.utils.vector_to_parameters(torch.ones(2), [ps[2]])",
    )
)


@parity
def test_norm_of_a_whole_step(torch):
    """Gradients that a backward left behind."""
    torch.manual_seed(0)
    w, b = torch.nn.Parameter(torch.randn(30, 20)), torch.nn.Parameter(torch.randn(30))
    (torch.randn(8, 20) @ w.t() + b).pow(2).sum().backward()
    norms = [torch.nn.utils.clip_grad_norm_([w, b], 1.0), torch.nn.utils.clip_grad_norm_([w, b], 1.0)]
    return norms, w.grad, b.grad
