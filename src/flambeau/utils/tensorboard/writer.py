"""`SummaryWriter`: scalars, histograms, pictures and more, written into event files that TensorBoard reads."""

import os
import time
from typing import Any

from ...core.naming import public
from . import summary
from ._image import figure_to_image, make_np
from ._wire import double, integer, message, record, text

_VERSION = text(3, "brain.Event:2")


class _Counter:
    """Numbers the files of a process, so that two made in the same second differ."""

    files = 0


@public("torch.utils.tensorboard.writer")
class FileWriter:
    """One event file in a folder. What is added is written at once to a buffer, which is flushed after `max_queue` events or
    `flush_secs` seconds."""

    def __init__(self, log_dir: Any, max_queue: int = 10, flush_secs: float = 120, filename_suffix: str = "") -> None:
        import socket

        self._log_dir = str(log_dir)
        self._max_queue = max_queue
        self._flush_secs = flush_secs
        os.makedirs(self._log_dir, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{_Counter.files}{filename_suffix}"
        _Counter.files += 1
        self.path = os.path.join(self._log_dir, name)
        self._open()
        self._write(double(1, time.time()) + _VERSION + message(10, text(1, __name__)))
        self.flush()

    def _open(self) -> None:
        self._file: Any = open(self.path, "ab")  # noqa: SIM115  # close() closes it
        self._waiting = 0
        self._flushed = time.monotonic()

    def _write(self, event: bytes) -> None:
        self._file.write(record(event))
        self._waiting += 1
        if self._waiting > self._max_queue or time.monotonic() - self._flushed > self._flush_secs:
            self.flush()

    def get_logdir(self) -> str:
        """The folder."""
        return self._log_dir

    def add_event(self, event: bytes, step: Any = None, walltime: float | None = None) -> None:
        """Writes the fields of an Event; the time is now unless given."""
        head = double(1, time.time() if walltime is None else walltime)
        self._write(head + (b"" if step is None else integer(2, int(step))) + event)

    def add_summary(self, summary: bytes, global_step: Any = None, walltime: float | None = None) -> None:
        """Writes an Event with a Summary."""
        self.add_event(message(5, summary), global_step, walltime)

    def add_graph(self, graph: bytes, walltime: float | None = None) -> None:
        """Writes an Event with a GraphDef."""
        self.add_event(message(4, graph), None, walltime)

    def flush(self) -> None:
        """Hands what was written to the operating system."""
        self._file.flush()
        self._waiting, self._flushed = 0, time.monotonic()

    def close(self) -> None:
        """Closes the file. Calling it again changes nothing."""
        self._file.close()

    def reopen(self) -> None:
        """Goes on writing into a closed file."""
        if self._file.closed:
            self._open()


@public("torch.utils.tensorboard.writer")
class SummaryWriter:
    """Writes event files into `log_dir` (by default `runs/<time>_<host><comment>`), which TensorBoard shows as a run.

    `purge_step`: events of earlier files in the folder from that step on are hidden. `max_queue`, `flush_secs`: after how many
    events or seconds the file is flushed.
    """

    def __init__(
        self,
        log_dir: Any = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        filename_suffix: str = "",
    ) -> None:
        if not log_dir:
            import socket

            log_dir = os.path.join("runs", f"{time.strftime('%b%d_%H-%M-%S')}_{socket.gethostname()}{comment}")
        self.log_dir = log_dir
        self.purge_step = purge_step
        self.max_queue = max_queue
        self.flush_secs = flush_secs
        self.filename_suffix = filename_suffix
        self.file_writer: FileWriter | None = None
        self.all_writers: dict[str, FileWriter] | None = None
        self._projector: list[str] = []
        self._get_file_writer()
        self.default_bins = summary.default_bins()

    def _get_file_writer(self) -> FileWriter:
        """The writer of the main file; a new file after `close()`."""
        if self.file_writer is None or self.all_writers is None:
            self.file_writer = self._new_writer(self.log_dir)
            self.all_writers = {self.file_writer.get_logdir(): self.file_writer}
            if self.purge_step is not None:
                self.file_writer.add_event(_VERSION, self.purge_step)
                self.file_writer.add_event(message(7, integer(1, 1)), self.purge_step)
                self.purge_step = None
        return self.file_writer

    def _new_writer(self, log_dir: Any) -> FileWriter:
        return FileWriter(log_dir, self.max_queue, self.flush_secs, self.filename_suffix)

    def get_logdir(self) -> Any:
        """The folder."""
        return self.log_dir

    # --- numbers -------------------------------------------------------------------------------------------------------

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: Any = None,
        walltime: float | None = None,
        new_style: bool = False,
        double_precision: bool = False,
    ) -> None:
        """A number. Raises AssertionError for a tensor of several elements."""
        self._get_file_writer().add_summary(summary.scalar(tag, scalar_value, new_style, double_precision), global_step, walltime)

    def add_scalars(self, main_tag: str, tag_scalar_dict: dict[str, Any], global_step: Any = None, walltime: float | None = None) -> None:
        """Several numbers in one chart: each goes to a run of its own, in a folder `<main_tag>_<tag>`."""
        walltime = time.time() if walltime is None else walltime
        log_dir = self._get_file_writer().get_logdir()
        assert self.all_writers is not None
        for tag, scalar_value in tag_scalar_dict.items():
            folder = f"{log_dir}/{main_tag.replace('/', '_')}_{tag}"
            if folder not in self.all_writers:
                self.all_writers[folder] = self._new_writer(folder)
            self.all_writers[folder].add_summary(summary.scalar(main_tag, scalar_value), global_step, walltime)

    def add_tensor(self, tag: str, tensor: Any, global_step: Any = None, walltime: float | None = None) -> None:
        """A whole tensor. Raises ValueError for bfloat16, float16 and complex dtypes."""
        self._get_file_writer().add_summary(summary.tensor_value(tag, tensor), global_step, walltime)

    def add_histogram(
        self, tag: str, values: Any, global_step: Any = None, bins: Any = "tensorflow", walltime: float | None = None, max_bins: Any = None
    ) -> None:
        """The histogram of values; `bins`: "tensorflow" (limits grow by a tenth), or what `numpy.histogram` takes."""
        if isinstance(bins, str) and bins == "tensorflow":
            bins = self.default_bins
        self._get_file_writer().add_summary(summary.histogram(tag, values, bins, max_bins), global_step, walltime)

    def add_histogram_raw(
        self,
        tag: str,
        min: float,
        max: float,
        num: int,
        sum: float,
        sum_squares: float,
        bucket_limits: Any,
        bucket_counts: Any,
        global_step: Any = None,
        walltime: float | None = None,
    ) -> None:
        """A histogram whose parts are known. Raises ValueError where limits and counts differ in number."""
        if len(bucket_limits) != len(bucket_counts):
            raise ValueError("len(bucket_limits) != len(bucket_counts), see the document.")
        content = summary.histogram_raw(tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts)
        self._get_file_writer().add_summary(content, global_step, walltime)

    def add_pr_curve(
        self,
        tag: str,
        labels: Any,
        predictions: Any,
        global_step: Any = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Precision against recall at `num_thresholds` thresholds: `labels` 0 or 1, `predictions` probabilities."""
        count = min(num_thresholds, 127)
        rows = summary.pr_curve_rows(make_np(labels), make_np(predictions), count, weights)
        self._get_file_writer().add_summary(summary.pr_curve_raw(tag, rows, count), global_step, walltime)

    def add_pr_curve_raw(
        self,
        tag: str,
        true_positive_counts: Any,
        false_positive_counts: Any,
        true_negative_counts: Any,
        false_negative_counts: Any,
        precision: Any,
        recall: Any,
        global_step: Any = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """A precision-recall curve whose rows are known."""
        rows = (true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts, precision, recall)
        self._get_file_writer().add_summary(summary.pr_curve_raw(tag, list(map(make_np, rows)), num_thresholds), global_step, walltime)

    def add_custom_scalars_multilinechart(self, tags: list[str], category: str = "default", title: str = "untitled") -> None:
        """A chart of several scalars."""
        self.add_custom_scalars({category: {title: ["Multiline", tags]}})

    def add_custom_scalars_marginchart(self, tags: list[str], category: str = "default", title: str = "untitled") -> None:
        """A chart of a scalar between two others. `tags`: the value, the lower and the upper one."""
        if len(tags) != 3:
            raise AssertionError("len(tags) != 3")
        self.add_custom_scalars({category: {title: ["Margin", tags]}})

    def add_custom_scalars(self, layout: dict[str, dict[str, Any]]) -> None:
        """Charts of several scalars: {category: {chart: [kind, tags]}}, kind "Multiline" or "Margin"."""
        self._get_file_writer().add_summary(summary.custom_scalars(layout))

    def add_hparams(
        self,
        hparam_dict: dict[str, Any],
        metric_dict: dict[str, Any],
        hparam_domain_discrete: dict[str, list[Any]] | None = None,
        run_name: str | None = None,
        global_step: Any = None,
    ) -> None:
        """A set of hyperparameters with its results, as a run of its own in the folder `run_name`."""
        if type(hparam_dict) is not dict or type(metric_dict) is not dict:
            raise TypeError("hparam_dict and metric_dict should be dictionary.")
        parts = summary.hparams(hparam_dict, metric_dict, hparam_domain_discrete)
        folder = os.path.join(self._get_file_writer().get_logdir(), run_name or str(time.time()))
        with SummaryWriter(folder) as writer:
            for part in parts:
                writer._get_file_writer().add_summary(part, global_step)
            for name, result in metric_dict.items():
                writer.add_scalar(name, result, global_step)

    # --- pictures, sounds, texts ---------------------------------------------------------------------------------------

    def add_image(
        self, tag: str, img_tensor: Any, global_step: Any = None, walltime: float | None = None, dataformats: str = "CHW"
    ) -> None:
        """A picture, uint8 or floats from 0 to 1; `dataformats` names its dimensions: "CHW", "HWC", "HW"."""
        self._get_file_writer().add_summary(summary.image(tag, img_tensor, dataformats), global_step, walltime)

    def add_images(
        self, tag: str, img_tensor: Any, global_step: Any = None, walltime: float | None = None, dataformats: str = "NCHW"
    ) -> None:
        """Several pictures side by side."""
        if isinstance(img_tensor, list):
            dataformats = "NCHW" if dataformats.upper() == "CHW" else "NHWC" if dataformats.upper() == "HWC" else "N" + dataformats
        self._get_file_writer().add_summary(summary.image(tag, img_tensor, dataformats), global_step, walltime)

    def add_image_with_boxes(
        self,
        tag: str,
        img_tensor: Any,
        box_tensor: Any,
        global_step: Any = None,
        walltime: float | None = None,
        rescale: float = 1,
        dataformats: str = "CHW",
        labels: Any = None,
    ) -> None:
        """A picture with red frames around boxes (N, 4) of x0, y0, x1, y1. Raises NotImplementedError for `rescale` and `labels`."""
        if rescale != 1 or labels is not None:
            raise NotImplementedError("flambeau does not support the arguments rescale and labels of SummaryWriter.add_image_with_boxes")
        content = summary.image(tag, img_tensor, dataformats, box_tensor)
        self._get_file_writer().add_summary(content, global_step, walltime)

    def add_figure(self, tag: str, figure: Any, global_step: Any = None, close: bool = True, walltime: float | None = None) -> None:
        """A figure of matplotlib, or a list of them. `close`: closes them afterwards."""
        dataformats = "NCHW" if isinstance(figure, list) else "CHW"
        self.add_image(tag, figure_to_image(figure, close), global_step, walltime, dataformats)

    def add_video(self, tag: str, vid_tensor: Any, global_step: Any = None, fps: float = 4, walltime: float | None = None) -> None:
        """Not supported: raises NotImplementedError."""
        raise NotImplementedError("flambeau does not support SummaryWriter.add_video: it has no video encoder; use add_images")

    def add_audio(
        self, tag: str, snd_tensor: Any, global_step: Any = None, sample_rate: int = 44100, walltime: float | None = None
    ) -> None:
        """A sound: one channel, values from -1 to 1."""
        self._get_file_writer().add_summary(summary.audio(tag, snd_tensor, sample_rate), global_step, walltime)

    def add_text(self, tag: str, text_string: str, global_step: Any = None, walltime: float | None = None) -> None:
        """A text in Markdown."""
        self._get_file_writer().add_summary(summary.text_value(tag, text_string), global_step, walltime)

    def add_mesh(
        self,
        tag: str,
        vertices: Any,
        colors: Any = None,
        faces: Any = None,
        config_dict: Any = None,
        global_step: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Points or triangles in space: `vertices` (N, points, 3), `colors` (N, points, 3), `faces` (N, triangles, 3)."""
        self._get_file_writer().add_summary(summary.mesh(tag, vertices, colors, faces, config_dict), global_step, walltime)

    def add_embedding(
        self,
        mat: Any,
        metadata: Any = None,
        label_img: Any = None,
        global_step: Any = None,
        tag: str = "default",
        metadata_header: Any = None,
    ) -> None:
        """Vectors (N, D) for the projector, with a label each (`metadata`) and a picture each (`label_img`, (N, C, H, W))."""
        from ._embedding import write_embedding

        self._projector.append(write_embedding(self.log_dir, mat, metadata, label_img, global_step, tag, metadata_header))
        with open(os.path.join(self.log_dir, "projector_config.pbtxt"), "w") as file:
            file.write("".join(self._projector))

    def add_graph(self, model: Any, input_to_model: Any = None, verbose: bool = False, use_strict_trace: bool = True) -> None:
        """The graph of a module, traced with `input_to_model` (a tensor, or a tuple of inputs)."""
        from ._graph import graph_def

        self._get_file_writer().add_graph(graph_def(model, input_to_model, verbose, use_strict_trace))

    def add_onnx_graph(self, prototxt: Any) -> None:
        """Not supported: raises NotImplementedError."""
        raise NotImplementedError("flambeau does not support SummaryWriter.add_onnx_graph: it does not read ONNX files")

    # --- the file ------------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Hands what was added to the operating system."""
        for writer in (self.all_writers or {}).values():
            writer.flush()

    def close(self) -> None:
        """Closes the files. Whatever is added later goes to a new one."""
        for writer in (self.all_writers or {}).values():
            writer.close()
        self.file_writer = self.all_writers = None

    def __enter__(self) -> "SummaryWriter":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()
