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
    numeric,
    pointwise,
    pooling,
    random as _random_ops,
    rearranging,
    recurrent,
    reinterpreting,
    reduction,
    scan,
    scattering,
    shape,
    slicing,
    sorting,
    special as _special_ops,
    spectral,
)
from .ops.definition import NAMES as _NAMES

bool = _dtypes.bool
globals().update(_dtypes.ALIASES)
globals().update(_NAMES["torch"])

from . import autograd, version
from .alias import alias_torch
from .core.generator import Generator, default_generator
from .core.missing import missing_name
from .core.printing import set_printoptions
from .torch_version import TorchVersion

__version__ = TorchVersion(version.TORCH)

_SUBMODULES = frozenset((
    "amp", "backends", "cli", "cpu", "cuda", "distributed", "distributions", "fft", "func", "jit", "library", "linalg", "mps",
    "multiprocessing", "nn", "optim", "overrides", "profiler", "random", "return_types", "serialization", "special", "storage", "testing",
    "types", "utils", "xpu",
))  # fmt: skip
"""Imported when they are first named, so that `import flambeau` stays light."""

_LAZY = {"load": "serialization", "save": "serialization", "UntypedStorage": "storage", "TypedStorage": "storage"}
"""Names whose module is imported when they are first used."""


def _on_first_call(name: str, module: str) -> None:
    """Gives Tensor a method whose module is imported at the first call, and then puts its own in its place."""

    def method(*args: object, **kwargs: object) -> object:
        import importlib

        importlib.import_module(f"{__name__}.{module}")
        return getattr(Tensor, name)(*args, **kwargs)

    method.__name__, method.__qualname__ = name, f"Tensor.{name}"
    setattr(Tensor, name, method)


for _name in ("__reduce_ex__", "__deepcopy__"):
    _on_first_call(_name, "serialization")
for _name in ("untyped_storage", "storage", "_typed_storage", "set_"):
    _on_first_call(_name, "storage")

_missing = missing_name(__name__)


def __getattr__(name: str) -> object:
    import importlib

    if name in _SUBMODULES:
        try:
            return importlib.import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
    elif name in _LAZY:
        value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
        globals()[name] = value
        return value
    return _missing(name)
