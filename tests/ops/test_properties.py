"""Questions about tensors, and Python functions over their elements."""

import numpy as np

import flambeau
from harness import Row, randn, rows

test_questions = rows(
    Row(
        "torch.is_floating_point(x), torch.is_complex(x), torch.is_signed(x), torch.is_inference(x), torch.numel(x), x.is_pinned()",
        x=randn(2),
    ),
    Row("torch.is_floating_point(3)"),
    Row("torch.numel(3)"),
    Row("torch.is_nonzero(torch.ones(2))"),
    Row("torch.is_nonzero(torch.ones(0))"),
    Row("torch.is_nonzero(torch.ones(1)), torch.is_same_size(torch.ones(2), torch.ones(3)), torch.ones(2).is_same_size(torch.ones(2))"),
    Row("x.is_set_to(x), x.is_set_to(x.view(2, 1)), x.is_set_to(x[:]), x.is_set_to(x.clone())", x=randn(2)),
    Row("torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last).dim_order(), torch.ones(2, 3).T.dim_order()"),
    Row("torch.arange(3).apply_(lambda v: v * 2)"),
    Row("torch.arange(3).map_(torch.arange(3), lambda a, b: a + b)"),
    Row("torch.arange(3).map2_(torch.arange(3), torch.arange(3), lambda a, b, c: a + b + c)"),
    Row("torch.ones(3, requires_grad=True).apply_(lambda v: v * 2)"),
    Row("torch.arange(3).map_(torch.ones(3), lambda a, b: a + b)"),
    Row("torch.arange(3).apply_(3)"),
    Row("x = torch.ones(2); x.apply_(lambda v: v + 1); x._version"),
    Row("torch.tensor([1.5, 2.0], dtype=torch.bfloat16).tolist(), torch.tensor(1.5, dtype=torch.bfloat16).item()"),
    Row("torch.ones(2).pin_memory()"),
    Row("torch.ones(2).xpu()"),
    Row("torch.ones(2).name, torch.ones(2).is_shared()"),
    Row("hasattr(torch.ones(2), '__cuda_array_interface__')"),
    Row("torch.ones(2, requires_grad=True).__dlpack__()"),
    Row("torch.from_dlpack(np.arange(3)), torch.utils.dlpack.from_dlpack(torch.ones(2).__dlpack__()), torch.from_dlpack(torch.ones(2))"),
    Row("np.sin(torch.zeros(2))"),
)


def test_dlpack_shares_memory_both_ways():
    array = np.zeros(3)
    tensor = flambeau.from_dlpack(array)
    tensor[0] = 5
    assert array[0] == 5
    assert np.shares_memory(np.from_dlpack(flambeau.ones(2)), flambeau.ones(2).numpy()) is False
    source = flambeau.ones(2)
    assert np.shares_memory(np.from_dlpack(source), source.numpy())
