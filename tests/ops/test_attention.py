"""Attention: scaled dot products, and several heads of them."""

from harness import Row, parity, randn, rows

Q, K, V = randn(2, 2, 3, 4), randn(2, 2, 5, 4), randn(2, 2, 5, 6)
SDPA = "F.scaled_dot_product_attention"

test_dot_products = rows(
    Row(f"{SDPA}(q, k, v)", q=Q, k=K, v=V, grad=2, grad_fn=False),
    Row(f"{SDPA}(q, k, v, is_causal=True), {SDPA}(q, k, v, scale=0.3)", q=Q, k=K, v=V, grad=True, grad_fn=False),
    Row(f"{SDPA}(q, k, v, attn_mask=m), {SDPA}(q, k, v, attn_mask=m > 0)", q=Q, k=K, v=V, m=randn(3, 5).nograd, grad=True, grad_fn=False),
    Row(f"{SDPA}(q, k, v, attn_mask=m)", q=Q, k=K, v=V, m=randn(3, 5), grad=True, grad_fn=False),
    Row(f"{SDPA}(q, k, v)", q=randn(3, 4), k=randn(5, 4), v=randn(5, 2), grad=True, grad_fn=False),
    Row(f"{SDPA}(q, k, v)", q=Q, k=K, v=V, dtypes="float64 float16 bfloat16"),
    Row(f"{SDPA}(q, k, v, enable_gqa=True)", q=randn(2, 4, 3, 4), k=K, v=V, grad=True, grad_fn=False),
    Row(f"{SDPA}(q, k, v)", q=randn(4), k=K, v=V),
    Row(f"{SDPA}(q, k.double(), v)", q=Q, k=K, v=V),
    Row(f"{SDPA}(q, k, v, torch.ones(3, 5), is_causal=True)", q=Q, k=K, v=V),
    Row(f"{SDPA}(q, k, v, torch.ones(3, 5, dtype=torch.int64))", q=Q, k=K, v=V),
)


@parity
def test_heads(torch):
    """The functional form: masks, weights, biases for keys and values, zeros attended to."""
    F = torch.nn.functional
    double = {"dtype": torch.float64}
    x = torch.randn(5, 2, 8, requires_grad=True, **double)
    w, b = torch.randn(24, 8, requires_grad=True, **double), torch.randn(24, **double)
    o, c = torch.randn(8, 8, **double), torch.randn(8, **double)
    mask = torch.triu(torch.ones(5, 5), 1).bool()
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    results = []
    for more in ({}, {"need_weights": False}, {"attn_mask": mask}, {"key_padding_mask": padding}, {"average_attn_weights": False},
                 {"attn_mask": mask, "key_padding_mask": padding, "need_weights": False}):  # fmt: skip
        out, weights = F.multi_head_attention_forward(x, x, x, 8, 2, w, b, None, None, False, 0.0, o, c, **more)
        grads = torch.autograd.grad(out.square().sum(), [x, w])
        results.append((out.detach(), None if weights is None else weights.detach(), grads))
    bias = torch.randn(1, 1, 8, **double)
    results.append(F.multi_head_attention_forward(x, x, x, 8, 2, w, b, bias, bias, True, 0.0, o, c)[0].detach())
    return results
