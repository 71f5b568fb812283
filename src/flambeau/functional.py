"""`torch.functional`: functions of torch that PyTorch defines in Python."""

from .core.missing import missing_name
from .ops.definition import NAMES

_NAMES = """
atleast_1d atleast_2d atleast_3d align_tensors broadcast_shapes broadcast_tensors cartesian_prod block_diag cdist
chain_matmul einsum istft lu norm meshgrid pca_lowrank split stft svd_lowrank tensordot unique unique_consecutive
unravel_index
""".split()

_missing = missing_name(__name__)


def __getattr__(name: str) -> object:
    if name in _NAMES:
        try:
            return NAMES["torch"][name]
        except KeyError:
            pass
    return _missing(name)
