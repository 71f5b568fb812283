"""`torch.nn.attention.flex_attention`. PyTorch runs without its compiler, which needs a C++ compiler."""

import importlib
import warnings

import pytest

from harness import parity


def flex_of(torch):
    flex = importlib.import_module(f"{torch.__name__}.nn.attention.flex_attention")
    flex._FLEX_ATTENTION_DISABLE_COMPILE_DEBUG = True
    warnings.simplefilter("ignore")
    return flex


def causal(b, h, q, kv):
    return q >= kv


def inputs(torch, heads=2, kv_heads=2, length=5, keys=7):
    return torch.randn(2, heads, length, 8), torch.randn(2, kv_heads, keys, 8), torch.randn(2, kv_heads, keys, 6)


MODS = {
    "none": lambda torch: None,
    "bias": lambda torch: lambda score, b, h, q, kv: score + (q - kv),
    "alibi": lambda torch: lambda score, b, h, q, kv: score + torch.exp2(-((h + 1) * 8.0 / 2)) * (kv - q),
    "soft cap": lambda torch: lambda score, b, h, q, kv: 20.0 * torch.tanh(score / 20.0),
    "table": lambda torch, table=[0.5, -0.5]: (lambda t: lambda score, b, h, q, kv: score + t[h] + t[b])(torch.tensor(table)),
    "window": lambda torch: lambda score, b, h, q, kv: torch.where(q - kv < 3, score, -float("inf")),
    "relative": lambda torch: (lambda t: lambda score, b, h, q, kv: score + t[h, q, kv])(torch.arange(70.0).reshape(2, 5, 7)),
}


@pytest.mark.parametrize("mod", list(MODS))
@parity
def test_score_mods(torch, mod):
    return flex_of(torch).flex_attention(*inputs(torch), score_mod=MODS[mod](torch))


@pytest.mark.parametrize("mask", ["causal", "document", "prefix", "nothing in some rows"])
@parity
def test_masks(torch, mask):
    flex = flex_of(torch)
    document = torch.tensor([0, 0, 1, 1, 1, 2, 2])
    mods = {
        "causal": causal,
        "document": lambda b, h, q, kv: document[q] == document[kv],
        "prefix": flex.or_masks(causal, lambda b, h, q, kv: kv < 2),
        "nothing in some rows": flex.and_masks(causal, lambda b, h, q, kv: kv > 1),
    }
    block = flex.create_block_mask(mods[mask], None, None, 5, 7, device="cpu", BLOCK_SIZE=2)
    out, aux = flex.flex_attention(*inputs(torch), block_mask=block, return_aux=flex.AuxRequest(lse=True))
    dense = flex.create_mask(mods[mask], 2, None, 5, 7, device="cpu")
    return (
        out,
        aux.lse,
        dense,
        block.to_dense(),
        block.kv_num_blocks,
        block.kv_indices,
        block.full_kv_num_blocks,
        block.q_num_blocks,
        block.q_indices,
    )


@parity
def test_grouped_heads_and_scale(torch):
    flex = flex_of(torch)
    query, key, value = inputs(torch, heads=4)
    return flex.flex_attention(query, key, value, scale=0.3, enable_gqa=True, score_mod=lambda s, b, h, q, kv: s * (h + 1))


@parity
def test_half_precision(torch):
    return flex_of(torch).flex_attention(*(x.bfloat16() for x in inputs(torch))).float()


@parity
def test_block_mask(torch):
    flex = flex_of(torch)
    block = flex.create_block_mask(causal, 2, 3, 300, 260, device="cpu")
    part = block[0, 1:]
    smaller = block._adjust(200, 130)
    plain = flex.create_block_mask(causal, None, None, 300, 260, device="cpu", separate_full_blocks=False)
    own = flex.BlockMask.from_kv_blocks(torch.tensor([[[1, 2]]]).int(), torch.tensor([[[[0, 1], [0, 1]]]]).int(), BLOCK_SIZE=4)
    return (
        repr(block), str(block), block.shape, block.numel(), block.sparsity(), part.shape, part.kv_indices, smaller.shape,
        smaller.kv_indices,
        smaller.kv_num_blocks, plain.kv_num_blocks, plain.full_kv_indices, repr(own), own.to_dense(), own.to("cpu").q_indices,
    )  # fmt: skip


CALLS = {
    "heads": "flex.flex_attention(torch.ones(1, 4, 3, 8), k, v)",
    "groups": "flex.flex_attention(torch.ones(1, 3, 3, 8), k, v, enable_gqa=True)",
    "width": "flex.flex_attention(torch.ones(1, 2, 3, 4), k, v)",
    "dims": "flex.flex_attention(q[0], k[0], v[0])",
    "batch": "flex.flex_attention(torch.ones(3, 2, 3, 8), torch.ones(2, 2, 3, 8), torch.ones(2, 2, 3, 8))",
    "short": "flex.flex_attention(q, k, v, block_mask=flex.create_block_mask(causal, None, None, 2, 2, device='cpu'))",
    "long": "flex.flex_attention(q, k, v, block_mask=flex.create_block_mask(causal, None, None, 200, 200, device='cpu'))",
    "sliced": "flex.flex_attention(q, k, v, block_mask=flex.create_block_mask(causal, 1, 1, 3, 3, device='cpu')[0])",
    "both": "flex.flex_attention(q, k, v, return_lse=True, return_aux=flex.AuxRequest(lse=True))",
    "not a mask": "flex.create_block_mask(lambda s, b, h, q, kv: s, None, None, 2, 2, device='cpu')",
    "too few": "flex.create_mask(lambda s: s, None, None, 2, 2, device='cpu')",
    "not callable": "flex.or_masks(causal, 3)",
}


@pytest.mark.parametrize("call", list(CALLS))
@parity
def test_errors(torch, call):
    q, k, v = torch.ones(1, 2, 3, 8), torch.ones(1, 2, 3, 8), torch.ones(1, 2, 3, 8)
    eval(CALLS[call], {"flex": flex_of(torch), "torch": torch, "q": q, "k": k, "v": v, "causal": causal})


def test_gradients():
    """PyTorch has no backward on the CPU; the gradient is that of the same attention by operators."""
    import flambeau as torch

    flex = flex_of(torch)
    torch.manual_seed(0)
    given = [x.requires_grad_() for x in inputs(torch, keys=5)]
    table = torch.randn(2, requires_grad=True)
    block = flex.create_block_mask(causal, None, None, 5, 5)
    flex.flex_attention(*given, score_mod=lambda s, b, h, q, kv: s + table[h], block_mask=block).square().sum().backward()
    found = [x.grad for x in (*given, table)]
    query, key, value = given
    again = table.detach().requires_grad_()
    mask = (again[:, None, None] + torch.zeros(5, 5)).masked_fill(torch.ones(5, 5).tril() == 0, -float("inf"))
    scores = query @ key.transpose(-2, -1) / 8**0.5 + mask
    expected = torch.autograd.grad((torch.softmax(scores, -1) @ value).square().sum(), (*given, again))
    for a, b in zip(found, expected):
        torch.testing.assert_close(a, b)
