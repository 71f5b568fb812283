"""All parameters of a model as one vector, and back."""

from typing import Any, Iterable

from ...autograd.node import tensors
from ...tensor import Tensor
from ...utils._typename import typename


def parameters_to_vector(parameters: Iterable[Any]) -> Tensor:
    """The parameters, each flattened, one behind the other in a 1-dim tensor; gradients flow through it."""
    return tensors.cat([parameter.view(-1) for parameter in parameters])


def vector_to_parameters(vec: Any, parameters: Iterable[Any]) -> None:
    """Makes the parameters views of consecutive pieces of `vec`. Raises TypeError if it is no Tensor."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {typename(vec)}")
    start = 0
    for parameter in parameters:
        size = parameter.numel()
        parameter.data = vec[start : start + size].view_as(parameter).data
        start += size
