"""`torch.autograd.functional`: Jacobians, Hessians and their products with vectors, of functions of tensors.

Products with a Jacobian from the right (`jvp`, `hvp`) are taken by differentiating twice: the gradient is linear in the
vector that is carried back, and its derivative by that vector is the product.
"""

from typing import Any, Callable

from .grad_mode import enable_grad, grad_mode
from .node import tensors

__all__ = ["vjp", "jvp", "jacobian", "hessian", "hvp", "vhp"]


def _tupled(given: Any, what: str, where: str) -> tuple[bool, tuple[Any, ...]]:
    """Whether it was a tuple, and it as one. Raises TypeError for anything but tensors."""
    many = isinstance(given, tuple)
    values = given if many else (given,)
    for i, value in enumerate(values):
        if not hasattr(value, "_array"):
            found = f"value at index {i} has type {type(value)}" if many else f"given {what} has type {type(value)}"
            raise TypeError(f"The {what} given to {where} must be either a Tensor or a tuple of Tensors but the {found}.")
    return many, values


def _fresh(inputs: tuple[Any, ...], create_graph: bool, need_graph: bool = True) -> tuple[Any, ...]:
    """New tensors over the inputs, so that uses of the same tensors inside the function do not count."""
    return tuple(x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_(need_graph) for x in inputs)


def _finished(values: Any, create_graph: bool) -> Any:
    if isinstance(values, tuple):
        return tuple(_finished(v, create_graph) for v in values)
    return values if create_graph else values.detach()


def _check_vector(v: tuple[Any, ...], like: tuple[Any, ...], many: bool) -> None:
    if len(v) != len(like):
        if many:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(v)}.")
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (a, b) in enumerate(zip(v, like)):
        if a.shape != b.shape:
            prefix = f"Entry {i} in " if many else ""
            raise RuntimeError(f"{prefix}v has invalid size: should be {b.shape} but got {a.shape}.")


def _check_recorded(values: Any, what: str, strict: bool) -> None:
    """In strict mode, raises RuntimeError where a value does not depend on the inputs."""
    if not strict:
        return
    for i, value in enumerate(values):
        if value is None:
            raise RuntimeError(f"The output of the user-provided function is independent of input {i}. This is not allowed in strict mode.")
        if value.requires_grad:
            continue
        if what == "hessian":
            raise RuntimeError(
                f"The hessian of the user-provided function with respect to input {i} is independent of the input. This is not allowed in "
                "strict mode. You should ensure that your function is thrice differentiable and that the hessian depends on the inputs."
            )
        if what == "jacobian":
            raise RuntimeError(
                f"While computing the hessian, found that the jacobian of the user-provided function with respect to input {i} is "
                "independent of the input. This is not allowed in strict mode. You should ensure that your function is twice "
                "differentiable and that the jacobian depends on the inputs (this would be violated by a linear function for example)."
            )
        if what == "grad_inputs":
            raise RuntimeError(
                f"The gradient with respect to input {i} is independent of the inputs of the user-provided function. This is not allowed "
                "in strict mode."
            )
        raise RuntimeError(
            f"Output {i} of the user-provided function does not require gradients. The outputs must be computed in a differentiable manner "
            "from the input when running in strict mode."
        )


def _grad(outputs: Any, inputs: tuple[Any, ...], directions: Any = None, create_graph: bool = False) -> tuple[Any, ...]:
    """`autograd.grad` that passes over outputs without a graph and inputs that are not reached (None)."""
    from . import grad

    directions = directions if directions is not None else (None,) * len(outputs)
    pairs = [(o, d) for o, d in zip(outputs, directions) if o is not None and o.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    return grad([o for o, _ in pairs], inputs, [d for _, d in pairs], allow_unused=True, create_graph=create_graph, retain_graph=True)


_STRICT = {
    "back": "The output of the user-provided function is independent of input {}. This is not allowed in strict mode.",
    "back_trick": (
        "The gradient with respect to the input is independent of entry {} in the grad_outputs when using the double backward trick to "
        "compute forward mode gradients. This is not allowed in strict mode."
    ),
    "double_back": "The jacobian of the user-provided function is independent of input {}. This is not allowed in strict mode.",
    "double_back_trick": (
        "The hessian of the user-provided function is independent of entry {} in the grad_jacobian. This is not allowed in strict mode as "
        "it prevents from using the double backward trick to replace forward mode AD."
    ),
}


def _or_zeros(grads: Any, like: tuple[Any, ...], strict: bool, create_graph: bool, stage: str) -> tuple[Any, ...]:
    """Zeros in place of missing gradients; in strict mode, raises where one is missing or cannot be differentiated."""
    found = []
    for i, (g, x) in enumerate(zip(grads, like)):
        if g is None:
            if strict:
                raise RuntimeError(_STRICT[stage].format(i))
            g = tensors.zeros_like(x)
        elif strict and create_graph and not g.requires_grad:
            if "double" not in stage:
                raise RuntimeError(
                    f"The jacobian of the user-provided function is independent of input {i}. This is not allowed in strict mode when "
                    "create_graph=True."
                )
            raise RuntimeError(
                f"The hessian of the user-provided function is independent of input {i}. This is not allowed in strict mode when "
                "create_graph=True."
            )
        found.append(g)
    return tuple(found)


def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """`func(*inputs)`, and the product of `v` with its Jacobian: a gradient per input.

    `v` has the sizes of the outputs; it may be left out for a single output of one element.
    """
    with enable_grad():
        many_inputs, ins = _tupled(inputs, "inputs", "vjp")
        ins = _fresh(ins, create_graph)
        many_outputs, outputs = _tupled(func(*ins), "outputs of the user-provided function", "vjp")
        _check_recorded(outputs, "outputs", strict)
        if v is not None:
            v = _fresh(_tupled(v, "v", "vjp")[1], create_graph, False)
            _check_vector(v, outputs, many_outputs)
        elif len(outputs) != 1 or outputs[0].numel() != 1:
            raise RuntimeError("The vector v can only be None if the user-provided function returns a single Tensor with a single element.")
    with _recording(create_graph):
        grads = _or_zeros(_grad(outputs, ins, v, create_graph), ins, strict, create_graph, "back")
    outputs, grads = _finished(outputs, create_graph), _finished(grads, create_graph)
    return (outputs if many_outputs else outputs[0]), (grads if many_inputs else grads[0])


class _recording:
    """Records inside where graphs are asked for, or were being recorded already."""

    def __init__(self, create_graph: bool) -> None:
        self.mode = create_graph or grad_mode.enabled

    def __enter__(self) -> None:
        self.previous = grad_mode.enabled
        grad_mode.enabled = self.mode

    def __exit__(self, *exception: object) -> None:
        grad_mode.enabled = self.previous


def jvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """`func(*inputs)`, and the product of its Jacobian with `v`: one tensor per output.

    `v` has the sizes of the inputs; it may be left out for a single input of one element.
    """
    with enable_grad():
        many_inputs, ins = _tupled(inputs, "inputs", "jvp")
        ins = _fresh(ins, create_graph)
        if v is not None:
            v = _fresh(_tupled(v, "v", "jvp")[1], create_graph, False)
            _check_vector(v, ins, many_inputs)
        elif len(ins) != 1 or ins[0].numel() != 1:
            raise RuntimeError(
                "The vector v can only be None if the input to the user-provided function is a single Tensor with a single element."
            )
        many_outputs, outputs = _tupled(func(*ins), "outputs of the user-provided function", "jvp")
        _check_recorded(outputs, "outputs", strict)
        carried = tuple(tensors.zeros_like(o.detach()).requires_grad_() for o in outputs)
        grads = _grad(outputs, ins, carried, True)
        _check_recorded(grads, "grad_inputs", strict)
    with _recording(create_graph):
        products = _grad(grads, carried, v, create_graph) if create_graph else _grad(grads, carried, v)
        products = _or_zeros(products, outputs, strict, create_graph, "back_trick")
    outputs, products = _finished(outputs, create_graph), _finished(products, create_graph)
    return (outputs if many_outputs else outputs[0]), (products if many_outputs else products[0])


def jacobian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The Jacobian: for each output and input, a tensor of the output's shape followed by the input's.

    Nested as `(per output (per input))`, each level left out where there is a single tensor. `vectorize` changes nothing
    in the result. `strategy="forward-mode"`, with `vectorize`: one product for each element of the inputs, by differentiating twice.
    """
    _check_strategy(strategy, create_graph, strict, vectorize)
    if strategy == "forward-mode":
        return _forward_jacobian(func, inputs)
    with enable_grad():
        many_inputs, ins = _tupled(inputs, "inputs", "jacobian")
        ins = _fresh(ins, create_graph)
        many_outputs, outputs = _tupled(func(*ins), "outputs of the user-provided function", "jacobian")
        _check_recorded(outputs, "outputs", strict)
        rows = tuple(_rows_of_output(i, output, ins, create_graph, strict) for i, output in enumerate(outputs))
    found = _finished(rows, create_graph)
    if not many_inputs:
        found = tuple(row[0] for row in found)
    return found if many_outputs else found[0]


def _check_strategy(strategy: str, create_graph: bool, strict: bool, vectorize: bool) -> None:
    """Raises for a strategy that there is not, and for options that do not go together."""
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs than inputs, '
            '"forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "reverse-mode":
        if strict and vectorize:
            raise RuntimeError(
                "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. Please either set "
                "`strict=False` or `vectorize=False`."
            )
        return
    if create_graph:
        raise NotImplementedError(
            'torch.autograd.functional.jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported together (yet). '
            'Please either set `create_graph=False` or `strategy="reverse-mode"`.'
        )
    if strict:
        raise RuntimeError(
            'torch.autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` are not supported together (yet). Please '
            'either set `strict=False` or `strategy="reverse-mode"`.'
        )
    if not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for `vectorize=True`."
        )


def _rows_of_output(i: int, output: Any, ins: tuple[Any, ...], create_graph: bool, strict: bool) -> tuple[Any, ...]:
    """The Jacobian of output number i: for each input the gradients of its elements, one above the other."""
    columns: list[list[Any]] = [[] for _ in ins]
    flat = output.reshape(-1)
    for j in range(output.numel()):
        for number, g in enumerate(_grad((flat[j],), ins, None, create_graph)):
            if g is None:
                if strict:
                    raise RuntimeError(
                        f"Output {i} of the user-provided function is independent of input {number}. This is not allowed in strict mode."
                    )
                g = tensors.zeros_like(ins[number])
            elif strict and create_graph and not g.requires_grad:
                raise RuntimeError(
                    f"The jacobian of the user-provided function is independent of input {i}. This is not allowed in strict mode when "
                    "create_graph=True."
                )
            columns[number].append(g)
    return tuple(
        (tensors.stack(column, 0) if column else x.new_zeros((0, *x.shape))).view((*output.shape, *x.shape))
        for column, x in zip(columns, ins)
    )


def _forward_jacobian(func: Callable[..., Any], inputs: Any) -> Any:
    """The Jacobian column by column: a product with each unit vector of the inputs, each from one recording of the function."""
    with enable_grad():
        many_inputs, ins = _tupled(inputs, "inputs", "jacobian")
        ins = _fresh(ins, True)
        many_outputs, outputs = _tupled(func(*ins), "outputs of the user-provided function", "jacobian")
        carried = tuple(tensors.zeros_like(o.detach()).requires_grad_() for o in outputs)
        grads = _grad(outputs, ins, carried, True)
        rows = []
        columns: list[list[Any]] = [[] for _ in outputs]
        for number, x in enumerate(ins):
            for place in range(x.numel()):
                unit = tensors.zeros_like(x.detach())
                unit.view(-1)[place] = 1
                if grads[number] is None:
                    found: Any = (None,) * len(outputs)
                else:
                    found = _grad((grads[number],), carried, (unit,), True)
                for column, g, o in zip(columns, found, outputs):
                    column.append(tensors.zeros_like(o) if g is None else g)
        for column, o in zip(columns, outputs):
            parts, start = [], 0
            for x in ins:
                count = x.numel()
                whole = tensors.stack(column[start : start + count], -1) if count else o.new_zeros((*o.shape, 0))
                parts.append(whole.reshape((*o.shape, *x.shape)))
                start += count
            rows.append(parts)
    if not any(x.requires_grad for x in _tupled(inputs, "inputs", "jacobian")[1]):
        rows = [[part.detach() for part in row] for row in rows]
    result: Any = rows if many_inputs else tuple(row[0] for row in rows)
    return result if many_outputs else result[0]


def _scalar(outputs: tuple[Any, ...], many: bool, where: str) -> None:
    if many or not hasattr(outputs[0], "_array"):
        raise RuntimeError(f"The function given to {where} should return a single Tensor")
    if outputs[0].numel() != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {where} should contain a single element")


def hessian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The Hessian of a scalar function: for each pair of inputs, a tensor of the one's shape followed by the other's."""
    many_inputs, ins = _tupled(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def scalar(*args: Any) -> Any:
        many, outputs = _tupled(func(*args), "outputs of the user-provided function", "hessian")
        _check_recorded(outputs, "outputs", strict)
        if many:
            raise RuntimeError("The function given to hessian should return a single Tensor")
        if outputs[0].numel() != 1:
            raise RuntimeError("The Tensor returned by the function given to hessian should contain a single element")
        return outputs[0].squeeze()

    def gradient(*args: Any) -> Any:
        if outer_jacobian_strategy == "forward-mode":
            args = tuple(a.requires_grad_() for a in args)
        found = jacobian(scalar, args, create_graph=True)
        _check_recorded(found, "jacobian", strict)
        return found

    result = jacobian(gradient, ins, create_graph=create_graph, strict=strict, vectorize=vectorize, strategy=outer_jacobian_strategy)
    return result if many_inputs else result[0][0]


def _first_gradient(
    func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool, strict: bool, where: str
) -> tuple[bool, tuple[Any, ...], Any, tuple[Any, ...], tuple[Any, ...]]:
    """Whether there are many inputs, the inputs, the vector, the scalar that `func` gives, and its gradient, recorded."""
    many_inputs, ins = _tupled(inputs, "inputs", where)
    ins = _fresh(ins, create_graph)
    v = _vector(v, ins, many_inputs, create_graph, where)
    many, outputs = _tupled(func(*ins), "outputs of the user-provided function", where)
    _check_recorded(outputs, "outputs", strict)
    _scalar(outputs, many, where)
    first = _grad(outputs, ins, None, True)
    _check_recorded(first, "jacobian", strict)
    return many_inputs, ins, v, outputs, first


def vhp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """`func(*inputs)`, a scalar, and the product of `v` with its Hessian."""
    with enable_grad():
        many_inputs, ins, v, outputs, first = _first_gradient(func, inputs, v, create_graph, strict, "vhp")
    with _recording(create_graph):
        products = _or_zeros(_grad(first, ins, v, create_graph), ins, strict, create_graph, "double_back")
    return _finished(outputs[0], create_graph), _finished(products if many_inputs else products[0], create_graph)


def hvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """`func(*inputs)`, a scalar, and the product of its Hessian with `v`."""
    with enable_grad():
        many_inputs, ins, v, outputs, first = _first_gradient(func, inputs, v, create_graph, strict, "hvp")
        carried = tuple(tensors.zeros_like(x.detach()).requires_grad_() for x in ins)
        second = _grad(first, ins, carried, True)
        _check_recorded(second, "hessian", strict)
    with _recording(create_graph):
        products = _or_zeros(_grad(second, carried, v, create_graph), ins, strict, create_graph, "double_back_trick")
    return _finished(outputs[0], create_graph), _finished(products if many_inputs else products[0], create_graph)


def _vector(v: Any, ins: tuple[Any, ...], many: bool, create_graph: bool, where: str) -> Any:
    if v is not None:
        v = _fresh(_tupled(v, "v", where)[1], create_graph, False)
        _check_vector(v, ins, many)
        return v
    if len(ins) != 1 or ins[0].numel() != 1:
        raise RuntimeError(
            "The vector v can only be None if the input to the user-provided function is a single Tensor with a single element."
        )
    return None
