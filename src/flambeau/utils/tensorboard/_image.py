"""Pictures: arrangements of dimensions, grids, boxes, and PNG."""

import struct
import zlib
from typing import Any

import numpy as np


def make_np(x: Any) -> Any:
    """A tensor, an array or a number as an array. Raises NotImplementedError for anything else."""
    from ...tensor import Tensor

    if isinstance(x, np.ndarray):
        return x
    if np.isscalar(x):
        return np.array([x])
    if isinstance(x, Tensor):
        array = x.detach()._array
        return array.astype(np.float32) if array.dtype.kind == "V" else array
    raise NotImplementedError(f"Got {type(x)}, but numpy array or torch tensor are expected.")


def make_grid(images: Any, ncols: int = 8) -> Any:
    """Pictures (N, C, H, W), C 1 or 3, side by side in rows of `ncols`: one picture (3, rows * H, columns * W)."""
    if images.shape[1] == 1:
        images = np.concatenate([images] * 3, 1)
    if images.ndim != 4 or images.shape[1] != 3:
        raise AssertionError("Input should be a 4D numpy array with 3 channels")
    count, _, height, width = images.shape
    ncols = min(count, ncols)
    canvas = np.zeros((3, height * -(-count // ncols), width * ncols), images.dtype)
    for i, picture in enumerate(images):
        y, x = i // ncols * height, i % ncols * width
        canvas[:, y : y + height, x : x + width] = picture
    return canvas


def to_hwc(array: Any, dataformats: str) -> Any:
    """A picture, or several in a grid, in the order height, width, channels.

    Raises AssertionError where `dataformats` does not describe the array.
    """
    if len(set(dataformats)) != len(dataformats):
        raise AssertionError(f"You can not use the same dimension shorthand twice.             input_format: {dataformats}")
    if len(array.shape) != len(dataformats):
        raise AssertionError(
            f"size of input tensor and input format are different.         tensor shape: {array.shape}, input_format: {dataformats}"
        )
    dataformats = dataformats.upper()
    if len(dataformats) == 4:
        return make_grid(array.transpose([dataformats.find(c) for c in "NCHW"])).transpose(1, 2, 0)
    if len(dataformats) == 3:
        array = array.transpose([dataformats.find(c) for c in "HWC"])
        return np.concatenate([array] * 3, 2) if array.shape[2] == 1 else array
    return np.stack([array.transpose([dataformats.find(c) for c in "HW"])] * 3, 2)


def to_bytes(array: Any) -> Any:
    """Values 0 to 255 as they are where the dtype is uint8, else values 0 to 1 times 255."""
    scale = 1 if array.dtype == np.uint8 else 255
    return (array.astype(np.float32) * scale).clip(0, 255).astype(np.uint8)


def draw_boxes(picture: Any, boxes: Any) -> Any:
    """Red frames, two pixels wide, around (x0, y0, x1, y1)."""
    picture = picture.copy()
    red = np.array([255, 0, 0, 255][: picture.shape[2]], np.uint8)
    for x0, y0, x1, y1 in np.round(boxes).astype(int):
        for x in (x0, x1):
            picture[max(y0 - 1, 0) : y1 + 1, max(x - 1, 0) : x + 1] = red
        for y in (y0, y1):
            picture[max(y - 1, 0) : y + 1, max(x0 - 1, 0) : x1 + 1] = red
    return picture


def png(picture: Any) -> bytes:
    """A picture (H, W, C), dtype uint8, C 1, 3 or 4, as a PNG file. Raises ValueError for other numbers of channels."""
    height, width, channels = picture.shape
    if channels not in (1, 3, 4):
        raise ValueError(f"a PNG has 1, 3 or 4 channels, not {channels}")

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = np.ascontiguousarray(picture).reshape(height, width * channels)
    lines = np.concatenate([np.zeros((height, 1), np.uint8), rows], 1)  # each line begins with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines.tobytes())) + chunk(b"IEND", b"")


def figure_to_image(figures: Any, close: bool = True) -> Any:
    """A matplotlib figure as (3, H, W), a list of them as (N, 3, H, W); dtype uint8. Needs matplotlib."""
    from matplotlib import pyplot
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    def render(figure: Any) -> Any:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[:, :, :3]
        if close:
            pyplot.close(figure)
        return np.moveaxis(pixels, 2, 0)

    return np.stack([render(f) for f in figures]) if isinstance(figures, list) else render(figures)
