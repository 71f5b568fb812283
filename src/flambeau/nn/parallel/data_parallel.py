"""`DataParallel`: one process, several GPUs. Without a GPU it is the module itself."""

from typing import Any

from ...core.naming import public
from ..modules.module import Module

__all__ = ["DataParallel", "data_parallel"]


@public("torch.nn.parallel.data_parallel")
class DataParallel(Module):
    """Would split each batch over the GPUs. Without one, `forward` calls the module; its parameters are named `module.*`."""

    def __init__(self, module: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[int] = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


def data_parallel(
    module: Any, inputs: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0, module_kwargs: Any = None
) -> Any:
    """Would run the module on several GPUs. Raises RuntimeError: there is none."""
    raise RuntimeError("device type could not be determined")
