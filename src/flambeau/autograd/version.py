"""Version counters: how often the memory of tensors was changed in place, so that a backward can tell whether it still has what it saved.

A counter is a list of one number, which a tensor and its views share; a tensor has none until somebody asks.
"""

from typing import Any

from .grad_mode import grad_mode


class _Unversioned(list[int]):
    """Stands for the counter in tensors made in inference mode: nothing is counted, and changes are allowed there alone.

    It is false, so that who remembers counters for a backward (`counter or remembered_version(tensor)`) needs no further test.
    """

    def __bool__(self) -> bool:
        return False

    def __setitem__(self, index: Any, value: Any) -> None:
        self.check()

    def check(self) -> None:
        """Raises RuntimeError outside inference mode."""
        if not grad_mode.inference:
            raise RuntimeError(
                "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a normal tensor "
                "before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."
            )


UNVERSIONED = _Unversioned([0])


def bump_version(tensor: Any) -> None:
    """Counts an in-place change."""
    version = tensor._counter
    if version is None:
        tensor._counter = [1]
    else:
        version[0] += 1


def shared_version(tensor: Any) -> list[int]:
    """The tensor's counter of in-place changes, made if nobody has asked before; views share it."""
    version = tensor._counter
    if version is None:
        version = tensor._counter = [0]
    return version


def remembered_version(tensor: Any) -> list[int]:
    """The counter of a tensor that a backward needs. Raises RuntimeError for one made in inference mode."""
    if tensor._counter is UNVERSIONED:
        raise RuntimeError(
            "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in computation tracked "
            "by autograd. To work around this, you can make a clone to get a normal tensor and use it in autograd, or use "
            "`torch.no_grad()` instead of `torch.inference_mode()`."
        )
    return shared_version(tensor)
