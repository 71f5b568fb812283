"""`torch.utils` itself: which of its modules are there without being imported."""

from harness import run_python


def test_modules_are_attributes_without_an_import():
    """In a process of its own: here other tests have imported them."""
    source = (
        "import sys, flambeau as torch; assert 'flambeau.utils.data' not in sys.modules;"
        "print(torch.utils.data.DataLoader.__name__, torch.utils.checkpoint.checkpoint.__name__, torch.utils._pytree.tree_map.__name__,"
        "torch.utils.dlpack.to_dlpack.__name__, torch.utils.hooks.RemovableHandle.__name__);"
        "print([hasattr(torch.utils, name) for name in ('tensorboard', 'benchmark', 'serialization', 'nonsense')])"
    )
    first, second = run_python("-c", source).stdout.splitlines()
    assert first == "DataLoader checkpoint tree_map to_dlpack RemovableHandle"
    assert second == "[False, False, False, False]"  # as in PyTorch
