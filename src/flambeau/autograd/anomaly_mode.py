"""Anomaly detection: a backward that fails, or produces NaN, names the forward line that it belongs to.

While it is on, every new node keeps the stack of the call that made it, and the engine looks at what each node returns.
"""

import os.path
import warnings
from typing import Any

from ..core.naming import public

__all__ = ["detect_anomaly", "set_detect_anomaly"]


_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_INSIDE = tuple(os.path.join(_PACKAGE, name, "") for name in ("autograd", "ops"))
"""Where frames lie that only lead from the forward call to the node."""


class _Anomaly:
    """`enabled`: nodes keep their tracebacks; `check_nan`: a NaN gradient is an error; `parent`: the node that runs now."""

    __slots__ = ("enabled", "check_nan", "parent")

    def __init__(self) -> None:
        self.enabled = False
        self.check_nan = True
        self.parent: Any = None


anomaly = _Anomaly()


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on."""
    return anomaly.enabled


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly detection, where on, also looks for NaN."""
    return anomaly.check_nan


def set_anomaly_enabled(enabled: bool, check_nan: bool = True) -> None:
    """Switches anomaly detection on or off. Raises TypeError unless both are bools."""
    for name, value in (("'enabled' (position 1)", enabled), ("'check_nan'", check_nan)):
        if not isinstance(value, bool):
            raise TypeError(f"set_anomaly_enabled(): argument {name} must be bool, not {type(value).__name__}")
    from ..ops.modes import stacks, stop_watching_nodes, watch_nodes

    watching = remember in stacks.node_hooks
    if enabled and not watching:
        watch_nodes(remember)
    elif not enabled and watching:
        stop_watching_nodes(remember)
    anomaly.enabled, anomaly.check_nan = bool(enabled), bool(check_nan)


def remember(node: Any) -> None:
    """Keeps with a new node where it was made, and the node whose backward made it."""
    import traceback

    frames = [f for f in traceback.extract_stack() if not f.filename.startswith("<flambeau")]
    while frames and frames[-1].filename.startswith(_INSIDE):
        frames.pop()
    lines = traceback.format_list(frames)
    node.metadata["traceback_"] = lines
    if anomaly.parent is not None:
        node.metadata["parent_"] = anomaly.parent


def report(node: Any) -> None:
    """Warns of the node that failed, with the stack of its forward call and of what led to it."""
    name, metadata = node.name(), node.metadata
    if "traceback_" not in metadata:
        text = (
            f"Error detected in {name}. No forward pass information available. Enable detect anomaly during "
            "forward pass for more information."
        )
    else:
        text = f"Error detected in {name}. Traceback of forward call that caused the error:\n{''.join(metadata['traceback_'])}"
    warnings.warn(text, stacklevel=2)
    parent = metadata.get("parent_")
    while parent is not None:
        name, metadata = parent.name(), parent.metadata
        if "traceback_" not in metadata:
            text = (
                f"\n\nPrevious calculation was induced by {name}. No forward pass information available. Enable detect anomaly during "
                "forward pass for more information."
            )
        else:
            text = (
                f"\n\nPrevious calculation was induced by {name}. Traceback of forward call that induced the previous calculation:\n"
                f"{''.join(metadata['traceback_'])}"
            )
        warnings.warn(text, stacklevel=2)
        parent = metadata.get("parent_")


@public("torch.autograd.anomaly_mode")
class detect_anomaly:
    """Context manager: inside, a failing backward warns with the traceback of its forward call.

    With `check_nan` (the default) a backward function that returns NaN raises RuntimeError.
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.prev = anomaly.enabled
        self.check_nan = check_nan
        self.prev_check_nan = anomaly.check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for debugging.",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        set_anomaly_enabled(True, self.check_nan)

    def __exit__(self, *exception: object) -> None:
        set_anomaly_enabled(self.prev, self.prev_check_nan)


@public("torch.autograd.anomaly_mode")
class set_detect_anomaly:
    """Switches anomaly detection on or off at once; used in `with`, only until its end."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.prev = anomaly.enabled
        self.prev_check_nan = anomaly.check_nan
        set_anomaly_enabled(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        set_anomaly_enabled(self.prev, self.prev_check_nan)
