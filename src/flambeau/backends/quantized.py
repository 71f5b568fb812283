"""`torch.backends.quantized`: there are no quantized tensors here."""

from ..core.missing import missing_name

engine = "none"
supported_engines: list[str] = ["none"]

__getattr__ = missing_name(__name__)
