"""`torch.profiler.profiler`: where PyTorch keeps what `torch.profiler` offers."""

from . import ProfilerAction, profile, schedule, supported_activities, tensorboard_trace_handler

__all__ = ["ProfilerAction", "profile", "schedule", "supported_activities", "tensorboard_trace_handler"]
