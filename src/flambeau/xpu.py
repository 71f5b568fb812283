"""`torch.xpu` on a machine without one."""

from collections import OrderedDict
from typing import Any

from ._absent import absent_class, answering, raising
from .core.missing import missing_name

default_generators: tuple[Any, ...] = ()

globals().update(
    raising(
        "torch.xpu",
        "_lazy_init init synchronize current_device get_device_name get_device_properties get_device_capability set_device current_stream "
        "initial_seed get_rng_state mem_get_info can_device_access_peer set_per_process_memory_fraction get_per_process_memory_fraction "
        "memory_snapshot reset_peak_memory_stats reset_accumulated_memory_stats get_stream_from_external set_stream",
        AssertionError,
        "Torch not compiled with XPU enabled",
    )
)
globals().update(
    answering("torch.xpu", "memory_allocated max_memory_allocated memory_reserved max_memory_reserved device_count", int, "0.")
)
globals().update(
    answering(
        "torch.xpu", "empty_cache seed seed_all manual_seed manual_seed_all set_rng_state set_rng_state_all", lambda: None, "Nothing."
    )
)
globals().update(answering("torch.xpu", "is_available is_initialized is_bf16_supported is_tf32_supported", bool, "False."))
globals().update(answering("torch.xpu", "get_arch_list get_rng_state_all", list, "An empty list."))
globals().update(answering("torch.xpu", "memory_stats memory_stats_as_nested_dict", OrderedDict, "Nothing to tell."))

Stream = absent_class("torch.xpu.streams", "Stream", "Tried to instantiate dummy base class Stream")
Event = absent_class("torch.xpu.streams", "Event", "Tried to instantiate dummy base class Event")

__getattr__ = missing_name(__name__)
