"""flambeau: the PyTorch API on an engine of its own, in Python.

    import flambeau as torch
"""

from .core import dtype as _dtypes
from .core.device import device
from .core.dtype import (
    bfloat16,
    complex64,
    complex128,
    dtype,
    float16,
    float32,
    float64,
    get_default_dtype,
    int8,
    int16,
    int32,
    int64,
    set_default_dtype,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .core.size import Size
from .tensor import Tensor
from .autograd.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .ops import (  # noqa: F401  (importing a family attaches its operators)
    activation,
    attention,
    comparison,
    conversion,
    convolution,
    creation,
    dropout,
    elementary,
    embedding,
    indexing,
    joining,
    linalg as _linalg_ops,
    loss,
    matmul as _matmul_ops,
    normalization,
    pointwise,
    pooling,
    random as _random_ops,
    recurrent,
    reduction,
    scan,
    shape,
    slicing,
    sorting,
    spectral,
)
from .ops.definition import NAMES as _NAMES

bool = _dtypes.bool
globals().update(_dtypes.ALIASES)
globals().update(_NAMES["torch"])

from . import version
from .alias import alias_torch
from .core.missing import missing_name
from .torch_version import TorchVersion

__version__ = TorchVersion(version.TORCH)
__getattr__ = missing_name(__name__)
