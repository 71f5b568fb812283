"""The collective operations of a group with one process: what each process would get is what the only one gave.

They check their arguments as the backend gloo does. With `async_op=True` they return a `Work` that is done.
"""

import warnings
from enum import Enum
from typing import Any, Sequence

from ..core import dtype as dt
from ..core.naming import public
from ..tensor import Tensor
from .groups import resolve

__all__ = [
    "P2POp", "ReduceOp", "Work", "all_gather", "all_gather_coalesced", "all_gather_into_tensor", "all_gather_object", "all_gather_single",
    "all_reduce", "all_reduce_coalesced", "all_to_all", "all_to_all_single", "barrier", "batch_isend_irecv", "broadcast",
    "broadcast_object_list", "gather", "gather_object", "irecv", "isend", "monitored_barrier", "recv", "reduce", "reduce_scatter",
    "reduce_scatter_single", "reduce_scatter_tensor", "scatter", "scatter_object_list", "send", "supports_complex",
]  # fmt: skip

_TYPES = frozenset((dt.float16, dt.bfloat16, dt.float32, dt.float64, dt.int8, dt.uint8, dt.int32, dt.int64, dt.bool))
_COMPLEX = frozenset((dt.complex64, dt.complex128))


class RedOpType(Enum):
    """How elements are put together."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7
    PREMUL_SUM = 8

    def __int__(self) -> int:
        return int(self.value)


@public("torch.distributed.distributed_c10d")
class ReduceOp:
    """`ReduceOp.SUM`, `AVG`, `PRODUCT`, `MIN`, `MAX`, `BAND`, `BOR`, `BXOR`: how elements of several processes are put together."""

    RedOpType = RedOpType
    SUM, AVG, PRODUCT, MIN, MAX = RedOpType.SUM, RedOpType.AVG, RedOpType.PRODUCT, RedOpType.MIN, RedOpType.MAX
    BAND, BOR, BXOR, PREMUL_SUM = RedOpType.BAND, RedOpType.BOR, RedOpType.BXOR, RedOpType.PREMUL_SUM

    def __init__(self, op: Any) -> None:
        self.op = op

    def __eq__(self, other: object) -> bool:
        return self.op is (other.op if isinstance(other, ReduceOp) else other)

    def __hash__(self) -> int:
        return int(self.op)


@public("torch.distributed.distributed_c10d")
class Work:
    """The handle of an operation that was started with `async_op=True`. Here it is always done."""

    def __init__(self, result: list[Any]) -> None:
        self._result = result

    def wait(self, timeout: Any = None) -> bool:
        """True: it is done."""
        return True

    def is_completed(self) -> bool:
        """True: it is done."""
        return True

    def is_success(self) -> bool:
        """True: nothing can fail."""
        return True

    def exception(self) -> None:
        """None: nothing can fail."""

    def synchronize(self) -> None:
        """Waits for it."""

    def result(self) -> list[Any]:
        """The tensors that it wrote into."""
        return self._result


def supports_complex(reduceOp: Any) -> bool:
    """Whether complex numbers can be put together so: by all but the ones that compare, multiply or look at bits."""
    op = reduceOp.op if isinstance(reduceOp, ReduceOp) else reduceOp
    return op not in (ReduceOp.MAX, ReduceOp.MIN, ReduceOp.PRODUCT, ReduceOp.BAND, ReduceOp.BOR, ReduceOp.BXOR)


# --- checks ------------------------------------------------------------------------------------------------------


def _tensor(value: Any, name: str) -> None:
    """Raises TypeError unless it is a tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"Invalid function argument. Expected parameter `{name}` of type torch.Tensor\n             but got {type(value)} instead."
        )


def _tensor_list(value: Any, name: str) -> None:
    """Raises TypeError unless it is a list of tensors."""
    if not isinstance(value, list) or not all(isinstance(each, Tensor) for each in value):
        raise TypeError(
            f"Invalid function argument. Expected parameter `{name}` of type List[torch.Tensor]\n"
            f"             but got {type(value)} instead."
        )


def _one_dtype(*groups: Any) -> None:
    """Raises ValueError for tensors of several dtypes."""
    dtypes = [t.dtype for group in groups for t in (group if isinstance(group, list) else [group])]
    for dtype in dtypes[1:]:
        if dtype is not dtypes[0]:
            raise ValueError(f"Invalid usage of tensors with different dtypesFound {dtypes[0]} and  {dtype}")


def _sendable(tensor: Tensor, complex_too: bool = True) -> None:
    """Raises RuntimeError for a dtype that the backend does not send."""
    if tensor.dtype not in _TYPES and not (complex_too and tensor.dtype in _COMPLEX):
        raise RuntimeError("Invalid scalar type")


def _reducible(tensor: Tensor, op: Any, function: str) -> None:
    """Raises where the elements of a tensor cannot be put together so."""
    op = op.op if isinstance(op, ReduceOp) else op
    if tensor.dtype in _COMPLEX and not supports_complex(op):
        raise ValueError(f"{function} does not support {op} on complex tensors")
    if op is ReduceOp.PREMUL_SUM:
        raise TypeError(f"{function}(): {op} needs a factor, which the backend gloo does not know")
    _sendable(tensor)
    if op in (ReduceOp.BAND, ReduceOp.BOR, ReduceOp.BXOR) and (tensor.is_floating_point() or tensor.is_complex()):
        raise RuntimeError(f"Cannot use ReduceOp.{op.name} with non-integral dtype")
    if op is ReduceOp.AVG and not (tensor.is_floating_point() or tensor.is_complex()):
        names = {"bool": "Bool", "uint8": "Byte", "int8": "Char", "int32": "Int", "int64": "Long"}
        raise RuntimeError(f"result type Float can't be cast to the desired output type {names[str(tensor.dtype)[6:]]}")


def _root(group_rank: int | None, global_rank: int | None, operation: str) -> int:
    """The rank of the process that sends or receives. Raises ValueError without one, RuntimeError for one that is not there."""
    if group_rank is None and global_rank is None:
        raise ValueError("Must specify global_rank or group_rank")
    if group_rank is not None and global_rank is not None:
        raise ValueError("Can't specify both group_rank and global_rank")
    rank = group_rank if group_rank is not None else global_rank
    assert rank is not None
    if operation and rank != 0:
        raise RuntimeError(f"ProcessGroupGloo::{operation}: invalid root rank: {rank}")
    return rank


def _one(tensors: Sequence[Any], operation: str, message: str) -> None:
    """Raises RuntimeError unless the list has one tensor for each of the processes."""
    if len(tensors) != 1:
        raise RuntimeError(f"ProcessGroupGloo::{operation}: {message.format(len(tensors))}")


def _same_size(operation: str, expected: Tensor, found: Tensor) -> None:
    if expected.shape != found.shape:
        raise RuntimeError(
            f"ProcessGroupGloo::{operation}: invalid tensor size at index 0 (expected ({_sizes(expected)}), got ({_sizes(found)}))"
        )


def _sizes(tensor: Tensor) -> str:
    return ", ".join(map(str, tensor.shape))


def _put(target: Tensor, source: Tensor) -> None:
    """Writes what the process gave into what it gets."""
    target.detach().copy_(source.detach())


def _done(async_op: bool, *result: Any) -> Work | None:
    return Work(list(result)) if async_op else None


def _deprecated(name: str, instead: str) -> None:
    warnings.warn(
        f"`torch.distributed.{name}` is deprecated. Please use `torch.distributed.{instead}` instead.", FutureWarning, stacklevel=3
    )


# --- tensors -----------------------------------------------------------------------------------------------------


def all_reduce(tensor: Any, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """Puts the tensors of all processes together, in place, in all of them."""
    _tensor(tensor, "tensor")
    if tensor.is_complex() and not supports_complex(op):
        raise ValueError(f"all_reduce does not support {op} on complex tensors")
    resolve(group)
    _reducible(tensor, op, "all_reduce")
    return _done(async_op, tensor)


def all_reduce_coalesced(tensors: Any, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """`all_reduce` of a list of tensors; deprecated."""
    _coalesced("all_reduce_coalesced")
    tensors = [tensors] if isinstance(tensors, Tensor) else tensors
    _tensor_list(tensors, "tensor")
    _one_dtype(tensors)
    resolve(group)
    for tensor in tensors:
        _reducible(tensor, op, "all_reduce_coalesced")
    return _done(async_op, *tensors)


def _coalesced(name: str) -> None:
    warnings.warn(
        f"`torch.distributed.{name}` will be deprecated. If you must use it, please revisit our documentation later at "
        "https://pytorch.org/docs/main/distributed.html#collective-functions",
        FutureWarning,
        stacklevel=3,
    )


def reduce(
    tensor: Any, dst: int | None = None, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False, group_dst: int | None = None
) -> Work | None:
    """Puts the tensors of all processes together, in place, in the process `dst`."""
    resolve(group)
    _tensor(tensor, "tensor")
    _root(group_dst, dst, "reduce")
    _reducible(tensor, op, "reduce")
    return _done(async_op, tensor)


def broadcast(tensor: Any, src: int | None = None, group: Any = None, async_op: bool = False, group_src: int | None = None) -> Work | None:
    """Gives all processes the tensor of the process `src`, in place."""
    resolve(group)
    _tensor(tensor, "tensor")
    _root(group_src, src, "broadcast")
    _sendable(tensor)
    return _done(async_op, tensor)


def all_gather(tensor_list: Any, tensor: Any, group: Any = None, async_op: bool = False) -> Work | None:
    """Writes the tensors of all processes into a list of tensors, in all of them."""
    _tensor_list(tensor_list, "tensor_list")
    _tensor(tensor, "tensor")
    _one_dtype(tensor_list, tensor)
    resolve(group)
    _one(tensor_list, "allgather", "invalid output tensor list at index 0 (expected length 1, got {})")
    _same_size("allgather", tensor, tensor_list[0])
    _sendable(tensor)
    _put(tensor_list[0], tensor)
    return _done(async_op, *tensor_list)


def all_gather_coalesced(output_tensor_lists: Any, input_tensor_list: Any, group: Any = None, async_op: bool = False) -> Work | None:
    """`all_gather` of a list of tensors; deprecated."""
    _coalesced("all_gather_coalesced")
    _tensor_list(input_tensor_list, "tensor_list")
    resolve(group)
    if not isinstance(output_tensor_lists, list):
        raise TypeError("Invalid function argument: output_tensor_lists should be a list")
    for outputs in output_tensor_lists:
        _tensor_list(outputs, "output_tensor_lists")
        _one(outputs, "allgather_coalesced", "invalid output list length {}, expected 1")
        for output, input in zip(outputs, input_tensor_list):
            _same_size("allgather_coalesced", input, output)
            _put(output, input)
    return _done(async_op, *(output for outputs in output_tensor_lists for output in outputs))


def all_gather_single(output_tensor: Any, input_tensor: Any, group: Any = None, async_op: bool = False) -> Work | None:
    """Writes the tensors of all processes one behind the other into one tensor, in all of them."""
    _tensor(input_tensor, "input_tensor")
    _tensor(output_tensor, "output_tensor")
    resolve(group)
    _same_size("allgather", input_tensor, output_tensor)
    if output_tensor.dtype is not input_tensor.dtype:
        raise RuntimeError(
            f"ProcessGroupGloo::allgather: invalid tensor type at index 0 (expected {input_tensor.dtype}, got {output_tensor.dtype})"
        )
    _sendable(input_tensor)
    _put(output_tensor, input_tensor)
    return _done(async_op, output_tensor)


def all_gather_into_tensor(output_tensor: Any, input_tensor: Any, group: Any = None, async_op: bool = False) -> Work | None:
    """The older name of `all_gather_single`; deprecated."""
    _deprecated("all_gather_into_tensor", "all_gather_single")
    return all_gather_single(output_tensor, input_tensor, group, async_op)


def gather(
    tensor: Any, gather_list: Any = None, dst: int | None = None, group: Any = None, async_op: bool = False, group_dst: int | None = None
) -> Work | None:
    """Writes the tensors of all processes into a list of tensors of the process `dst`, 0 unless given."""
    _tensor(tensor, "tensor")
    resolve(group)
    if gather_list:
        _tensor_list(gather_list, "gather_list")
    else:
        gather_list = []
    _one_dtype(tensor, gather_list)
    rank = _root(group_dst, 0 if dst is None and group_dst is None else dst, "")
    _only_at_root(rank, gather_list, "gather_list", "destination")
    _one(gather_list, "gather", "Incorrect output list size {}. Output list size should be 1, same as size of the process group.")
    _same_size("gather", tensor, gather_list[0])
    _sendable(tensor, complex_too=False)
    _put(gather_list[0], tensor)
    return _done(async_op, *gather_list)


def _only_at_root(rank: int, given: Any, name: str, what: str) -> None:
    if rank == 0 and not given:
        raise ValueError(f"Argument ``{name}`` must be specified on {what} rank.")
    if rank != 0:
        if given:
            raise ValueError(f"Argument ``{name}`` must NOT be specified on non-{what} ranks.")
        raise RuntimeError(f"ProcessGroupGloo: invalid root rank: {rank}")


def scatter(
    tensor: Any, scatter_list: Any = None, src: int | None = None, group: Any = None, async_op: bool = False, group_src: int | None = None
) -> Work | None:
    """Writes into the tensor of each process its part of the list of the process `src`, 0 unless given."""
    _tensor(tensor, "tensor")
    resolve(group)
    if scatter_list:
        _tensor_list(scatter_list, "scatter_list")
    else:
        scatter_list = []
    _one_dtype(tensor, scatter_list)
    rank = _root(group_src, 0 if src is None and group_src is None else src, "")
    _only_at_root(rank, scatter_list, "scatter_list", "source")
    _one(scatter_list, "scatter", "Incorrect input list size {}. Input list size should be 1, same as size of the process group.")
    _same_size("scatter", tensor, scatter_list[0])
    _sendable(tensor)
    _put(tensor, scatter_list[0])
    return _done(async_op, tensor)


def reduce_scatter(output: Any, input_list: Any, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """Puts the lists of all processes together and gives each its part."""
    _tensor(output, "output")
    _tensor_list(input_list, "input_list")
    _one_dtype(output, input_list)
    resolve(group)
    _one(input_list, "reduce_scatter", "invalid input tensor list at index 0 (expected length 1, got {})")
    _same_size("reduce_scatter", output, input_list[0])
    _reducible(output, op, "reduce_scatter")
    _put(output, input_list[0])
    return _done(async_op, output)


def reduce_scatter_single(output: Any, input: Any, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """Puts the tensors of all processes together and gives each its part of the rows."""
    _tensor(output, "output")
    _tensor(input, "input")
    resolve(group)
    _one_dtype(output, input)
    _same_size("reduce_scatter", output, input)
    _reducible(output, op, "reduce_scatter_single")
    _put(output, input)
    return _done(async_op, output)


def reduce_scatter_tensor(output: Any, input: Any, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """The older name of `reduce_scatter_single`; deprecated."""
    _deprecated("reduce_scatter_tensor", "reduce_scatter_single")
    return reduce_scatter_single(output, input, op, group, async_op)


def all_to_all(output_tensor_list: Any, input_tensor_list: Any, group: Any = None, async_op: bool = False) -> Work | None:
    """Sends the i-th tensor of each process's list to process i."""
    _tensor_list(output_tensor_list, "output_tensor_list")
    _tensor_list(input_tensor_list, "input_tensor_list")
    _one_dtype(output_tensor_list, input_tensor_list)
    resolve(group)
    _one(input_tensor_list, "alltoall", "input tensor list size {} does not match world size 1")
    _one(output_tensor_list, "alltoall", "output tensor list size {} does not match world size 1")
    if input_tensor_list[0].shape != output_tensor_list[0].shape:
        raise RuntimeError("ProcessGroupGloo::alltoall: input and output tensors must have the same size")
    _sendable(input_tensor_list[0])
    _put(output_tensor_list[0], input_tensor_list[0])
    return _done(async_op, *output_tensor_list)


def all_to_all_single(
    output: Any, input: Any, output_split_sizes: Any = None, input_split_sizes: Any = None, group: Any = None, async_op: bool = False
) -> Work | None:
    """Sends the i-th part of each process's rows to process i."""
    _tensor(output, "output")
    _tensor(input, "input")
    _one_dtype(output, input)
    resolve(group)
    for sizes, tensor in ((output_split_sizes, output), (input_split_sizes, input)):
        if sizes and (len(sizes) != 1 or sum(sizes) != tensor.shape[0]):
            raise RuntimeError("Split sizes doesn't match total dim 0 size")
    if output.shape != input.shape:
        raise RuntimeError(f"all_to_all_single: output of shape {tuple(output.shape)}, input of shape {tuple(input.shape)}")
    _sendable(input)
    _put(output, input)
    return _done(async_op, output)


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None, timeout: Any = None) -> Work | None:
    """Waits for all processes."""
    resolve(group)
    return _done(async_op)


def monitored_barrier(group: Any = None, timeout: Any = None, wait_all_ranks: bool = False) -> None:
    """`barrier`, which would name the processes that do not come."""
    resolve(group)


# --- objects -----------------------------------------------------------------------------------------------------


def _copied(obj: Any) -> Any:
    """What arrives of an object that is sent."""
    import io
    import pickle

    buffer = io.BytesIO()
    pickle.Pickler(buffer).dump(obj)
    return pickle.loads(buffer.getvalue())


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Puts copies of the objects of all processes into a list, in all of them."""
    resolve(group)
    object_list[0] = _copied(obj)


def gather_object(
    obj: Any, object_gather_list: list[Any] | None = None, dst: int | None = None, group: Any = None, group_dst: int | None = None
) -> None:
    """Puts copies of the objects of all processes into a list of the process `dst`, 0 unless given."""
    resolve(group)
    rank = _root(group_dst, 0 if dst is None and group_dst is None else dst, "")
    _only_at_root(rank, object_gather_list, "gather_list", "destination")
    assert object_gather_list is not None
    object_gather_list[0] = _copied(obj)


def broadcast_object_list(
    object_list: list[Any], src: int | None = None, group: Any = None, device: Any = None, group_src: int | None = None
) -> None:
    """Gives all processes copies of the objects in the list of the process `src`, which keeps its own."""
    resolve(group)
    _root(group_src, 0 if src is None and group_src is None else src, "broadcast")


def scatter_object_list(
    scatter_object_output_list: list[Any],
    scatter_object_input_list: list[Any] | None = None,
    src: int | None = None,
    group: Any = None,
    group_src: int | None = None,
) -> None:
    """Gives each process a copy of its object of the list of the process `src`, 0 unless given, as the first of its own list."""
    resolve(group)
    if not isinstance(scatter_object_output_list, list) or not scatter_object_output_list:
        raise ValueError("Expected argument scatter_object_output_list to be a list of size at least 1.")
    rank = _root(group_src, 0 if src is None and group_src is None else src, "")
    if scatter_object_input_list is None:
        raise ValueError("source rank must provide non-None scatter_object_input_list")
    _only_at_root(rank, scatter_object_input_list, "scatter_list", "source")
    message = "Incorrect input list size {}. Input list size should be 1, same as size of the process group."
    _one(scatter_object_input_list, "scatter", message)
    scatter_object_output_list[0] = _copied(scatter_object_input_list[0])


# --- from one process to another ---------------------------------------------------------------------------------


def _other(rank: int, what: str) -> Any:
    """Raises: there is no other process."""
    if rank == 0:
        raise ValueError(f"Invalid {what} rank: {what} rank should not be the same as the rank of the current process.")
    raise RuntimeError(f"Invalid {what} rank {rank}: the group has one process")


def isend(tensor: Any, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None) -> Work | None:
    """Would send a tensor to another process; there is none. Raises ValueError for the process itself, RuntimeError for others."""
    resolve(group)
    _tensor(tensor, "tensor")
    return _other(_root(group_dst, dst, ""), "destination")


def send(tensor: Any, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None) -> None:
    """Would send a tensor to another process and wait; there is none. Raises as `isend`."""
    isend(tensor, dst, group, tag, group_dst)


def irecv(tensor: Any, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None) -> Work | None:
    """Would receive a tensor from another process; there is none. Raises ValueError for the process itself, RuntimeError for others."""
    resolve(group)
    _tensor(tensor, "tensor")
    if src is None and group_src is None:
        raise RuntimeError("There is no other process to receive from: the group has one")
    return _other(_root(group_src, src, ""), "source")


def recv(tensor: Any, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None) -> int:
    """Would receive a tensor from another process and wait; there is none. Raises as `irecv`."""
    irecv(tensor, src, group, tag, group_src)
    return -1


@public("torch.distributed.distributed_c10d")
class P2POp:
    """One sending or receiving for `batch_isend_irecv`: `isend` or `irecv`, and its arguments."""

    def __init__(
        self, op: Any, tensor: Any, peer: int | None = None, group: Any = None, tag: int = 0, group_peer: int | None = None
    ) -> None:
        if op not in (isend, irecv):
            raise ValueError("Invalid ``op``. Expected ``op`` to be of type ``torch.distributed.isend`` or ``torch.distributed.irecv``.")
        _tensor(tensor, "tensor")
        self.op, self.tensor, self.group, self.tag = op, tensor, resolve(group), tag
        self.peer = self.group_peer = _root(group_peer, peer, "")

    def __repr__(self) -> str:
        source, target = (0, self.peer) if self.op is isend else (self.peer, 0)
        return (
            f"P2POp({self.op.__name__} pg={self.group.group_name}, group_src={source}, group_dst={target},  "
            f"{self.tensor.shape}, {self.tensor.dtype})"
        )


def batch_isend_irecv(p2p_op_list: list[P2POp]) -> list[Work]:
    """Starts several operations at once; they raise, as there is no other process."""
    first = p2p_op_list[0]  # an empty list raises IndexError
    return [first.op(first.tensor, first.peer, first.group, first.tag)]
