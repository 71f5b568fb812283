"""`torch.utils.tensorboard`: event files for TensorBoard, written without TensorFlow, TensorBoard or protobuf."""

from .writer import FileWriter, SummaryWriter

__all__ = ["FileWriter", "SummaryWriter"]
