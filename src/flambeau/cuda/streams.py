"""`torch.cuda.streams`: the classes can be named, not instantiated."""

from . import Event, ExternalStream, Stream

__all__ = ["Stream", "ExternalStream", "Event"]
