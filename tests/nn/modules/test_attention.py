"""Multi-head attention."""

import pytest

from harness import Row, parity, rows
from nn.layers import run_layer

CASES = [
    ("nn.MultiheadAttention(8, 2)", "[torch.randn(5, 2, 8), torch.randn(4, 2, 8), torch.randn(4, 2, 8)]"),
    ("nn.MultiheadAttention(8, 4, bias=False, batch_first=True)", "[torch.randn(2, 5, 8)] * 3"),
    (
        "nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True)",
        "[torch.randn(5, 2, 8), torch.randn(4, 2, 8), torch.randn(4, 2, 8)]",
    ),
    ("nn.MultiheadAttention(8, 2, kdim=6, vdim=7)", "[torch.randn(5, 2, 8), torch.randn(4, 2, 6), torch.randn(4, 2, 7)]"),
    ("nn.MultiheadAttention(8, 2)", "[torch.randn(5, 8), torch.randn(4, 8), torch.randn(4, 8)]"),
]


@pytest.mark.parametrize(("make", "inputs"), CASES)
@parity
def test_layer(torch, make, inputs):
    return run_layer(torch, make, inputs)


CALL = "m = nn.MultiheadAttention(8, 2); x = torch.randn(5, 2, 8); "
test_details = rows(
    Row(f"{CALL}m.merge_masks(None, None, x)"),
    Row(f"{CALL}m.merge_masks(torch.arange(4.0).view(2, 2), None, x.transpose(0, 1)[:, :2])"),
    Row(f"{CALL}m.merge_masks(None, torch.tensor([[0.0, -1], [2, 3]]), x.transpose(0, 1)[:, :2])"),
    Row(f"{CALL}m.merge_masks(torch.arange(4.0).view(2, 2), torch.tensor([[0.0, -1], [2, 3]]), x.transpose(0, 1)[:, :2])"),
    Row(f"{CALL}m.merge_masks(torch.arange(16.0).view(4, 2, 2), torch.tensor([[0.0, -1], [2, 3]]), x.transpose(0, 1)[:, :2])"),
    Row(
        CALL + "m(x, x, x)[1].detach(), m(x, x, x, need_weights=False)[1], m(x, x, x, average_attn_weights=False)[1].detach()",
        name="weights",
    ),
    Row(CALL + "m(x, x, x, attn_mask=torch.ones(5, 5).triu(1).bool())[0].detach()", name="mask"),
    Row(CALL + "m(x, x, x, key_padding_mask=torch.zeros(2, 5).bool())[0].detach(), m.eval()(x, x, x)[0].detach()", name="padding"),
    Row(CALL + "m(x, x, x, is_causal=True)", name="a hint without a mask"),
    Row(CALL + "m(x, x, x, attn_mask=torch.ones(3, 3).bool())", name="a mask of the wrong shape"),
    Row("nn.MultiheadAttention(8, 3)"),
    Row("nn.MultiheadAttention(0, 3)"),
)
