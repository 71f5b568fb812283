"""Utilities around modules: clipping, parametrizations, sequences of different lengths.

A file is imported when one of its names is first asked for.
"""

from ...core.on_demand import names_on_demand

# Functions called like the file they are in must be there before the file is taken for them.
from .spectral_norm import remove_spectral_norm, spectral_norm
from .weight_norm import remove_weight_norm, weight_norm

FILES = {
    "clip_grad": "clip_grad_norm clip_grad_norm_ clip_grad_value_ clip_grads_with_norm_ get_total_norm",
    "convert_parameters": "parameters_to_vector vector_to_parameters",
    "fusion": "fuse_conv_bn_eval fuse_conv_bn_weights fuse_linear_bn_eval fuse_linear_bn_weights",
    "init": "skip_init",
    "memory_format": "convert_conv2d_weight_memory_format convert_conv3d_weight_memory_format",
    "parametrizations": "",
    "parametrize": "",
    "rnn": "",
    "stateless": "",
}
"""Which names each file holds."""

__all__ = [
    "parametrizations", "parametrize", "remove_spectral_norm", "remove_weight_norm", "rnn", "spectral_norm", "stateless", "weight_norm",
]  # fmt: skip
__all__ += [name for names in FILES.values() for name in names.split()]
__getattr__ = names_on_demand(__name__, FILES)
