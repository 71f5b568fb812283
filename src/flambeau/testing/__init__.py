"""`torch.testing`: comparing values and making tensors for tests."""

from ..core.missing import missing_name
from ._comparison import assert_allclose, assert_close
from ._creation import make_tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]

__getattr__ = missing_name(__name__)
