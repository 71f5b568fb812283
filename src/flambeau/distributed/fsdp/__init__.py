"""Models whose parameters are spread over processes: for several processes, and so not here yet."""

from typing import Any

from ...core.missing import missing_name
from ...core.naming import public
from ..stores import LATER

__all__ = ["FullyShardedDataParallel"]

__getattr__ = missing_name(__name__)


@public("torch.distributed.fsdp.fully_sharded_data_parallel")
class FullyShardedDataParallel:
    """Raises NotImplementedError: with one process, `DistributedDataParallel` or the module itself does the same."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"FullyShardedDataParallel: {LATER}. With one process, use DistributedDataParallel or the module itself")
