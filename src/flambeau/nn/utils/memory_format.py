"""Changing the memory format of convolution weights alone."""

from typing import Any

from ..modules.module import Module

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]


def convert_conv2d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """Gives the weights of all Conv2d and ConvTranspose2d in `module` a memory format. Returns the module."""
    return _convert(module, memory_format, ("Conv2d", "ConvTranspose2d"))


def convert_conv3d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """Gives the weights of all Conv3d and ConvTranspose3d in `module` a memory format. Returns the module."""
    return _convert(module, memory_format, ("Conv3d", "ConvTranspose3d"))


def _convert(module: Module, memory_format: Any, names: tuple[str, ...]) -> Module:
    for child in module.modules():
        if any(cls.__name__ in names and cls.__module__ == "torch.nn.modules.conv" for cls in type(child).__mro__):
            child.weight.data = child.weight.detach().clone(memory_format=memory_format)
    return module
