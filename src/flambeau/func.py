"""`torch.func`: functions that turn functions into their gradients, Jacobians and batched forms, over the ordinary engine.

Arguments may be tensors or nested tuples, lists and dicts of them. `vmap` calls the function once per element.
"""

import functools
from typing import Any, Callable

from .autograd import grad as autograd_grad
from .autograd.grad_mode import enable_grad
from .autograd.node import Node, Output, tensors
from .core.generator import default_generator
from .core.missing import missing_name
from .tensor import Tensor

__all__ = ["functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "stack_module_state", "vjp", "vmap"]

__getattr__ = missing_name(__name__)


def functional_call(
    module: Any, parameter_and_buffer_dicts: Any, args: Any = None, kwargs: Any = None, *, tie_weights: bool = True, strict: bool = False
) -> Any:
    """Calls the module with the given tensors in place of its parameters and buffers; one dict, or several with different keys."""
    from .nn.utils.stateless import _functional_call

    if isinstance(parameter_and_buffer_dicts, dict):
        merged = parameter_and_buffer_dicts
    else:
        if not isinstance(parameter_and_buffer_dicts, (tuple, list)):
            raise ValueError(
                f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got {type(parameter_and_buffer_dicts)}"
            )
        merged = {}
        for each in parameter_and_buffer_dicts:
            repeated = [key for key in each if key in merged]
            if repeated:
                raise ValueError(f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous")
            merged |= each
    return _functional_call(module, merged, args, kwargs, tie_weights=tie_weights, strict=strict)


def _map(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """The tree with every leaf replaced by `function(leaf, leaves of the others)`."""
    if isinstance(tree, dict):
        return {key: _map(function, value, *(o[key] for o in others)) for key, value in tree.items()}
    if isinstance(tree, (tuple, list)):
        parts = [_map(function, *each) for each in zip(tree, *others)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return function(tree, *others)


def _leaves(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in _leaves(value)]
    if isinstance(tree, (tuple, list)):
        return [leaf for value in tree for leaf in _leaves(value)]
    return [tree]


def _fresh(tree: Any) -> Any:
    """New tensors over the same memory: in the graph of those that require gradients, leaves otherwise."""
    return _map(lambda t: t.view_as(t) if t.requires_grad else t.detach().requires_grad_(), tree)


def _settled(tree: Any, fresh: list[Any]) -> Any:
    """Results, without a graph where it leads to the fresh leaves alone."""
    own = {id(t) for t in fresh if t._node is None}

    def settle(t: Any) -> Any:
        if not isinstance(t, Tensor) or not t.requires_grad:
            return t
        seen: set[int] = set()
        stack = [t._node or t]
        while stack:
            edge = stack.pop()
            edge = edge.node if edge.__class__ is Output else edge
            if edge is None or id(edge) in seen:
                continue
            seen.add(id(edge))
            if isinstance(edge, Node):
                stack.extend(edge.edges)
            elif id(edge) not in own:
                return t
        return t.detach()

    return _map(settle, tree)


def _chosen(args: tuple[Any, ...], argnums: Any) -> tuple[Any, list[Any]]:
    """The arguments with fresh tensors at `argnums`, and these."""
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    if not numbers:
        raise RuntimeError("argnums must be non-empty")
    for n in numbers:
        if not -len(args) <= n < len(args):
            raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")
    numbers = tuple(n % len(args) for n in numbers)
    made = [_fresh(args[n]) for n in numbers]
    swapped = list(args)
    for n, value in zip(numbers, made):
        swapped[n] = value
    return swapped, made


def _gradients(outputs: Any, inputs: list[Any], directions: Any = None) -> list[Any]:
    pairs = [(o, d) for o, d in zip(outputs, directions or [None] * len(outputs)) if o.requires_grad]
    if not pairs:
        return [tensors.zeros_like(x.detach()) for x in inputs]
    found = autograd_grad([o for o, _ in pairs], inputs, [d for _, d in pairs], create_graph=True, allow_unused=True)
    return [tensors.zeros_like(x.detach()) if g is None else g for g, x in zip(found, inputs)]


def grad_and_value(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that gives the gradients of a scalar function with respect to the arguments `argnums`, and its value."""

    @functools.wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        with enable_grad():
            swapped, made = _chosen(args, argnums)
            output = func(*swapped, **kwargs)
            aux = None
            if has_aux:
                if not (isinstance(output, tuple) and len(output) == 2):
                    raise RuntimeError("grad_and_value(f)(*args): output of function f should be a tuple: (output, aux) if has_aux is True")
                output, aux = output
            if not isinstance(output, Tensor):
                raise RuntimeError(f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got unsupported type {type(output)}")
            if output.dim() != 0:
                raise RuntimeError(
                    "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor "
                    f"with {output.dim()} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
                )
            inputs = _leaves(made)
            found = iter(_gradients([output], inputs))
            grads = _map(lambda _: next(found), made)
        grads = _settled(grads[0] if isinstance(argnums, int) else tuple(grads), inputs)
        output = _settled(output, inputs)
        return (grads, (output, _settled(aux, inputs))) if has_aux else (grads, output)

    return both


def grad(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that gives the gradients of a scalar function with respect to the arguments `argnums`."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        grads, value = both(*args, **kwargs)
        return (grads, value[1]) if has_aux else grads

    return gradient


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """`func(*primals)`, and a function from cotangents to the products with its Jacobian."""
    with enable_grad():
        made = [_fresh(p) for p in primals]
        output = func(*made)
        aux = None
        if has_aux:
            output, aux = output
    inputs, outputs = _leaves(made), _leaves(output)

    def product(*cotangents: Any) -> Any:
        given = (
            cotangents[0] if len(cotangents) == 1 and not (isinstance(output, tuple) and isinstance(cotangents[0], Tensor)) else cotangents
        )
        with enable_grad():
            found = iter(_gradients(outputs, inputs, _leaves(given)))
            return _settled(tuple(_map(lambda _: next(found), made)), inputs)

    value = _settled(output, inputs)
    return (value, product, _settled(aux, inputs)) if has_aux else (value, product)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """`func(*primals)` and the product of its Jacobian with the tangents, by differentiating twice in reverse mode."""
    with enable_grad():
        made = [_fresh(p) for p in primals]
        output = func(*made)
        aux = None
        if has_aux:
            output, aux = output
        inputs, outputs = _leaves(made), _leaves(output)
        carried = [tensors.zeros_like(o.detach()).requires_grad_() for o in outputs]
        first = _gradients(outputs, inputs, carried)
        found = iter(_gradients(first, carried, _leaves(list(tangents))))
        product = _map(lambda _: next(found), output)
    own = inputs + carried
    value, product = _settled(output, own), _settled(product, own)
    return (value, product, _settled(aux, own)) if has_aux else (value, product)


def jacrev(
    func: Callable[..., Any], argnums: Any = 0, *, has_aux: bool = False, chunk_size: Any = None, _preallocate_and_copy: bool = False
) -> Callable[..., Any]:
    """A function that gives the Jacobian: per output and argument, a tensor of the output's shape followed by the argument's."""

    @functools.wraps(func)
    def jacobian(*args: Any) -> Any:
        with enable_grad():
            swapped, made = _chosen(args, argnums)
            output = func(*swapped)
            aux = None
            if has_aux:
                output, aux = output
            inputs = _leaves(made)

            def of_output(o: Any) -> Any:
                rows = [_gradients([e], inputs) for e in o.reshape(-1)]
                columns = iter([
                    (tensors.stack([row[i] for row in rows]) if rows else x.new_zeros((0, *x.shape))).view((*o.shape, *x.shape))
                    for i, x in enumerate(inputs)
                ])  # fmt: skip
                found = _map(lambda _: next(columns), made)
                return found[0] if isinstance(argnums, int) else tuple(found)

            result = _map(of_output, output)
        result = _settled(result, inputs)
        return (result, _settled(aux, inputs)) if has_aux else result

    return jacobian


def jacfwd(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error") -> Callable[..., Any]:
    """The same Jacobian as `jacrev` gives, by which it is computed."""
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
    """A function that gives the Hessian of a function."""
    return jacrev(jacrev(func, argnums), argnums)


def vmap(
    func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *, chunk_size: int | None = None
) -> Callable[..., Any]:
    """A function over batches: `func` is called once per element along `in_dims`, the results are stacked along `out_dims`.

    Random numbers inside raise RuntimeError unless `randomness` is "same" or "different".
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")

    @functools.wraps(func)
    def batched(*args: Any, **kwargs: Any) -> Any:
        dims = _spread(in_dims, args)
        pairs = [(a, d) for a, d in zip(_leaves(args), _leaves_of_dims(dims, args)) if d is not None]
        if not pairs:
            raise ValueError(
                f"vmap({getattr(func, '__name__', func)}, in_dims={in_dims}, ...)(<inputs>): at least one input must be a Tensor to "
                "vmap over"
            )
        sizes = {a.shape[d] for a, d in pairs}
        if len(sizes) != 1:
            raise ValueError(
                f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {[a.shape[d] for a, d in pairs]} "
                "for the mapped dimension"
            )
        state = default_generator.get_state() if randomness != "different" else None
        results = []
        for i in range(sizes.pop()):
            if randomness == "same":
                default_generator.set_state(state)
            chosen = _map(lambda a, d: a if d is None else a.select(d, i), args, dims)  # noqa: B023
            mapped = {key: _map(lambda v: v.select(0, i) if isinstance(v, Tensor) else v, value) for key, value in kwargs.items()}  # noqa: B023
            results.append(func(*chosen, **mapped))
            if randomness == "error" and not tensors.equal(default_generator.get_state(), state):
                raise RuntimeError(
                    "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' "
                    "randomness flags on "
                    "vmap or perform the randomness operation out of vmap"
                )
        return _map(lambda *each: tensors.stack(list(each[:-1]), each[-1]), *results, _spread(out_dims, results[0]))

    return batched


def _spread(dims: Any, tree: Any) -> Any:
    """The dimensions in the form of the tree: one for a whole branch goes to each leaf; None for what is no tensor."""
    if isinstance(tree, dict):
        return {key: _spread(dims[key] if isinstance(dims, dict) else dims, value) for key, value in tree.items()}
    if isinstance(tree, (tuple, list)):
        each = dims if isinstance(dims, (tuple, list)) else [dims] * len(tree)
        if len(each) != len(tree):
            raise ValueError(f"vmap: in_dims is not compatible with the structure of inputs: {dims} for {len(tree)} inputs")
        return type(tree)(_spread(d, t) for d, t in zip(each, tree))
    return dims if isinstance(tree, Tensor) else None


def _leaves_of_dims(dims: Any, tree: Any) -> list[Any]:
    found: list[Any] = []
    _map(lambda _, d: found.append(d), tree, dims)
    return found


def stack_module_state(models: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and the buffers of several modules of one kind, stacked by name."""
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not all(type(m) is type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")

    def stacked(of: str) -> dict[str, Any]:
        dicts = [dict(getattr(m, of)()) for m in models]
        return {key: tensors.stack([d[key].detach() for d in dicts], 0).requires_grad_(dicts[0][key].requires_grad) for key in dicts[0]}

    return stacked("named_parameters"), stacked("named_buffers")
