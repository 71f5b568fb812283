"""`torch.utils.benchmark`: how long a statement takes, measured often enough to be believed."""

from .compare import Compare
from .measurement import Measurement, TaskSpec
from .timer import Timer, timer

__all__ = ["Compare", "Measurement", "TaskSpec", "Timer", "timer"]
