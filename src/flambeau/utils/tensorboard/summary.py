"""The messages inside events (TensorFlow's summary.proto, tensor.proto, and those of TensorBoard's plugins), as bytes."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ._image import draw_boxes, make_np, png, to_bytes, to_hwc
from ._wire import double, integer, message, packed, single, text

FLOAT, DOUBLE, STRING = 1, 2, 7
_TENSOR_TYPES = {
    "float32": (FLOAT, 5, "f"),
    "float64": (DOUBLE, 6, "d"),
    "int32": (3, 7, "v"),
    "uint8": (4, 7, "v"),
    "int16": (5, 7, "v"),
    "int8": (6, 7, "v"),
    "int64": (9, 10, "v"),
    "bool": (10, 11, "v"),
}
"""By dtype: the number of the DataType, of the field with the values, and how these are packed."""


def value(tag: str, kind: bytes = b"", plugin: str = "", content: bytes = b"") -> bytes:
    """A Summary with one value."""
    return message(1, text(1, tag) + kind + (metadata(plugin, content) if plugin else b""))


def metadata(plugin: str, content: bytes = b"") -> bytes:
    """The field that names the plugin that shows a value."""
    return message(9, message(1, text(1, plugin) + (message(2, content) if content else b"")))


def shape(sizes: Sequence[int]) -> bytes:
    """The field of a tensor's shape."""
    return message(2, b"".join(message(2, integer(1, size)) for size in sizes))


def tensor(dtype: int, sizes: Sequence[int] | None, values: bytes) -> bytes:
    """The field of a tensor in a value."""
    return message(8, integer(1, dtype) + (b"" if sizes is None else shape(sizes)) + values)


def scalar(tag: str, scalar_value: Any, new_style: bool = False, double_precision: bool = False) -> bytes:
    """One number. Raises AssertionError for more than one."""
    array = make_np(scalar_value).squeeze()
    if array.ndim != 0:
        raise AssertionError(
            f"Tensor should contain one element (0 dimensions).             Was given size: {array.size} and {array.ndim} dimensions."
        )
    number = float(array)
    if not new_style:
        return value(tag, single(2, number, always=True))
    content = (packed(6, [number], "d"), DOUBLE) if double_precision else (packed(5, [number], "f"), FLOAT)
    return value(tag, tensor(content[1], None, content[0]), "scalars")


def tensor_value(tag: str, given: Any) -> bytes:
    """A whole tensor. Raises ValueError for a dtype that has no place in a TensorProto."""
    array = given._array
    if array.dtype.name not in _TENSOR_TYPES:
        raise ValueError(f"{tag} has unsupported tensor dtype {given.dtype}")
    dtype, field, kind = _TENSOR_TYPES[array.dtype.name]
    return value(tag, tensor(dtype, array.shape, packed(field, map(int, array.flat) if kind == "v" else array.flat, kind)), "tensor")


@cache
def default_bins() -> list[float]:
    """TensorFlow's limits of bins: powers of 1.1 from 1e-12 up to 1e20, their negatives, and 0."""
    limits, v = [], 1e-12
    while v < 1e20:
        limits.append(v)
        v *= 1.1
    return [-v for v in reversed(limits)] + [0.0] + limits


def histogram_raw(tag: str, low: float, high: float, num: float, total: float, squares: float, limits: Any, counts: Any) -> bytes:
    """A histogram whose parts are known: `limits` are the upper ends of the bins."""
    head = double(1, low) + double(2, high) + double(3, num) + double(4, total) + double(5, squares)
    return value(tag, message(5, head + packed(6, map(float, limits), "d") + packed(7, map(float, counts), "d")))


def histogram(tag: str, values: Any, bins: Any, max_bins: int | None = None) -> bytes:
    """The histogram of values; `bins` as `numpy.histogram` takes them; neighbours are joined where there are more than `max_bins`.

    Raises ValueError where there is nothing to count.
    """
    values = make_np(values).astype(float)
    if values.size == 0:
        raise ValueError("The input has no element.")
    values = values.reshape(-1)
    counts, limits = np.histogram(values, bins=bins)
    if max_bins is not None and len(counts) > max_bins:
        step = len(counts) // max_bins
        rest = len(counts) % step
        if rest:
            counts = np.pad(counts, (0, step - rest))
        counts = counts.reshape(-1, step).sum(axis=-1)
        limits = np.concatenate([limits[:-1:step], limits[-1:]])
    filled = np.flatnonzero(counts)
    if not filled.size:
        raise ValueError("The histogram is empty, please file a bug report.")
    start, end = filled[0], filled[-1] + 1
    # The message holds upper limits only: an empty bin in front gives the lower one.
    counts = np.concatenate([[0], counts[start:end]])
    limits = limits[start : end + 1]
    return histogram_raw(tag, values.min(), values.max(), len(values), values.sum(), values.dot(values), limits, counts)


def image(tag: str, img_tensor: Any, dataformats: str = "NCHW", boxes: Any = None) -> bytes:
    """A picture as PNG, with frames around `boxes`."""
    picture = to_bytes(to_hwc(make_np(img_tensor), dataformats))
    if boxes is not None:
        picture = draw_boxes(picture, make_np(boxes))
    height, width, channels = picture.shape
    return value(tag, message(4, integer(1, height) + integer(2, width) + integer(3, channels) + message(4, png(picture))))


def audio(tag: str, snd_tensor: Any, sample_rate: int = 44100) -> bytes:
    """A sound between -1 and 1, as WAV with 16 bits. Raises AssertionError for more than one channel."""
    import io
    import wave

    array = make_np(snd_tensor).squeeze()
    if abs(array).max() > 1:
        print("warning: audio amplitude out of range, auto clipped.")
        array = array.clip(-1, 1)
    if array.ndim != 1:
        raise AssertionError("input tensor should be 1 dimensional.")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sample_rate)
        out.writeframes((array * np.iinfo(np.int16).max).astype("<i2").tobytes())
    head = single(1, sample_rate) + integer(2, 1) + integer(3, array.shape[-1])
    return value(tag, message(6, head + message(4, file.getvalue()) + text(5, "audio/wav")))


def text_value(tag: str, text_string: str) -> bytes:
    """A text in Markdown."""
    return value(tag + "/text_summary", tensor(STRING, (1,), message(8, text_string.encode(encoding="utf_8"))), "text")


def pr_curve_raw(tag: str, rows: Any, num_thresholds: int) -> bytes:
    """A precision-recall curve: rows of true positives, false positives, true and false negatives, precision and recall."""
    data = np.stack(rows)
    return value(
        tag,
        tensor(FLOAT, data.shape, packed(5, data.reshape(-1).tolist(), "f")),
        "pr_curves",
        integer(2, min(num_thresholds, 127)),
    )


def pr_curve_rows(labels: Any, predictions: Any, num_thresholds: int, weights: Any) -> Any:
    """The rows of a precision-recall curve at evenly spaced thresholds."""
    weights = 1.0 if weights is None else weights
    bins = np.floor(predictions * (num_thresholds - 1)).astype(np.int32)
    truth = labels.astype(np.float64)

    def above(share: Any) -> Any:
        counts, _ = np.histogram(bins, bins=num_thresholds, range=(0, num_thresholds - 1), weights=share * weights)
        return np.cumsum(counts[::-1])[::-1]

    tp, fp = above(truth), above(1.0 - truth)
    tn, fn = fp[0] - fp, tp[0] - tp
    return tp, fp, tn, fn, tp / np.maximum(1e-7, tp + fp), tp / np.maximum(1e-7, tp + fn)


def custom_scalars(layout: dict[str, dict[str, Any]]) -> bytes:
    """How scalars are put together in charts: {category: {chart: [kind, tags]}}, kind "Multiline" or "Margin"."""
    categories = b""
    for category, charts in layout.items():
        content = text(1, category)
        for title, (kind, tags, *_) in charts.items():
            if kind == "Margin":
                if len(tags) != 3:
                    raise AssertionError("len(tags) != 3")
                series = message(1, text(1, tags[0]) + text(2, tags[1]) + text(3, tags[2]))
                content += message(2, text(1, title) + message(3, series))
            else:
                content += message(2, text(1, title) + message(2, b"".join(text(1, tag) for tag in tags)))
        categories += message(2, content)
    return value("custom_scalars__config__", tensor(STRING, (), message(8, categories)), "custom_scalars")


def mesh(tag: str, vertices: Any, colors: Any, faces: Any, config_dict: Any) -> bytes:
    """Points or triangles: `vertices` (N, points, 3), `colors` (N, points, 3), `faces` (N, triangles, 3)."""
    import json

    config = json.dumps(config_dict, sort_keys=True) if config_dict is not None else "{}"
    given = [(make_np(t), kind) for t, kind in ((vertices, 1), (faces, 2), (colors, 3)) if t is not None]
    components = sum(1 << kind for _, kind in given)
    found = b""
    for array, kind in given:
        content = text(2, tag) + integer(3, kind) + text(5, config) + packed(6, array.shape, "v") + integer(7, components)
        name = f"{tag}_{('', 'VERTEX', 'FACE', 'COLOR')[kind]}"
        found += value(name, tensor(FLOAT, array.shape, packed(5, array.reshape(-1).tolist(), "f")), "mesh", content)
    return found


def hparams(hparam_dict: dict[str, Any], metric_dict: dict[str, Any], discrete: dict[str, list[Any]] | None) -> tuple[bytes, bytes, bytes]:
    """The three summaries of the hyperparameters' plugin: the experiment, a session's start, its end.

    Raises TypeError for what are no dictionaries, ValueError for values other than numbers, text, bools and tensors.
    """
    for name, given in (("hparam_dict", hparam_dict), ("metric_dict", metric_dict), ("hparam_domain_discrete", discrete or {})):
        if not isinstance(given, dict):
            raise TypeError(f"parameter: {name} should be a dictionary, nothing logged.")
    for name, domain in (discrete or {}).items():
        if name not in hparam_dict or not isinstance(domain, list) or not all(isinstance(d, type(hparam_dict[name])) for d in domain):
            raise TypeError(f"parameter: hparam_domain_discrete[{name}] should be a list of same type as hparam_dict[{name}].")
    infos = start = b""
    for name, setting in hparam_dict.items():
        if setting is None:
            continue
        if not isinstance(setting, (int, float, str)):
            try:
                setting = float(make_np(setting)[0])
            except NotImplementedError:
                raise ValueError("value should be one of int, float, str, bool, or torch.Tensor")
        dtype = 1 if isinstance(setting, str) else 3
        start += message(1, text(1, name) + message(2, _plain(setting)))
        choices = b"".join(message(1, _plain(d)) for d in (discrete or {}).get(name, ()))
        infos += message(4, text(1, name) + integer(4, dtype) + (message(5, choices) if choices else b""))
    metrics = b"".join(message(5, message(1, text(2, name))) for name in metric_dict)
    return (
        value("_hparams_/experiment", plugin="hparams", content=message(2, infos + metrics)),
        value("_hparams_/session_start_info", plugin="hparams", content=message(3, start)),
        value("_hparams_/session_end_info", plugin="hparams", content=message(4, integer(1, 1))),
    )


def _plain(given: Any) -> bytes:
    """A text or a number as google.protobuf.Value."""
    return message(3, given.encode()) if isinstance(given, str) else double(2, float(given), always=True)
