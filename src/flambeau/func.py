"""`torch.func`: functions that turn functions into their gradients, Jacobians and batched forms, over the ordinary engine.

Arguments may be tensors or nested tuples, lists and dicts of them. A transform takes fresh tensors over its arguments, so that what
is differentiated inside is apart from any graph outside, and still part of it where an outer transform or `backward()` asks. Inside of
a `vmap`, gradients are those of each sample.
"""

import functools
from collections.abc import Callable
from typing import Any

from ._functorch.batching import BatchedTensor, RefusingRandomness, innermost, lifted, rewrapped
from ._functorch.rearranging import rearrange
from ._functorch.vmap import transforms, vmap
from .autograd import grad as autograd_grad
from .autograd.grad_mode import enable_grad
from .autograd.node import Node, Output, tensors
from .core.missing import missing_name
from .ops.definition import NAMES
from .tensor import Tensor
from .utils._pytree import tree_flatten, tree_map, tree_unflatten

__all__ = [
    "grad", "grad_and_value", "vmap", "replace_all_batch_norm_modules_", "functionalize", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
    "rearrange", "vjp", "functional_call", "stack_module_state", "debug_unwrap",
]  # fmt: skip

__getattr__ = missing_name(__name__)


class _inside:
    """A block in which a transform runs the function: gradients are recorded."""

    def __enter__(self) -> None:
        transforms.depth += 1
        self.mode = enable_grad()
        self.mode.__enter__()

    def __exit__(self, *exception: Any) -> None:
        self.mode.__exit__(*exception)
        transforms.depth -= 1


def _fresh(tree: Any) -> Any:
    """New tensors over the same memory, one for each sample: in the graph of those that require gradients, leaves otherwise."""

    def fresh(x: Any) -> Any:
        if not isinstance(x, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
        like = lifted(x)
        value = innermost(like)
        return rewrapped(value.view_as(value) if value.requires_grad else value.detach().requires_grad_(), like)

    return tree_map(fresh, tree)


def _leaves(tree: Any) -> list[Any]:
    return tree_flatten(tree)[0]


def _settled(tree: Any, fresh: list[Any]) -> Any:
    """Results, without a graph where it leads to the fresh leaves alone."""
    own = _own_leaves(fresh)

    def settle(t: Any) -> Any:
        if not isinstance(t, Tensor) or not t.requires_grad or _leads_elsewhere([innermost(t)], own):
            return t
        return rewrapped(innermost(t).detach(), t)

    return tree_map(settle, tree)


def _own_leaves(fresh: list[Any]) -> set[int]:
    return {id(innermost(t)) for t in fresh if innermost(t)._node is None}


def _leads_elsewhere(values: list[Any], own: set[int]) -> bool:
    """Whether the graph behind plain tensors ends in other leaves than these."""
    seen: set[int] = set()
    stack = [v._node or v for v in values if v.requires_grad]
    while stack:
        edge = stack.pop()
        edge = edge.node if edge.__class__ is Output else edge
        if edge is None or id(edge) in seen:
            continue
        seen.add(id(edge))
        if isinstance(edge, Node):
            stack.extend(edge.edges)
        elif id(edge) not in own:
            return True
    return False


def _check_argnums(argnums: Any, count: int) -> tuple[int, ...]:
    """The numbers of arguments, counted from the front. Raises RuntimeError for what names none."""
    if not isinstance(argnums, (int, tuple)):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    numbers = (argnums,) if isinstance(argnums, int) else argnums
    for n in numbers:
        if not isinstance(n, int):
            raise RuntimeError(f"argnum must be int, got: {type(n)}")
        if not -count <= n < count:
            raise RuntimeError(f"Got argnum={n}, but only {count} positional inputs")
    if not numbers:
        raise RuntimeError("argnums must be non-empty")
    numbers = tuple(n % count for n in numbers)
    if len(set(numbers)) != len(numbers):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return numbers


def _chosen(args: tuple[Any, ...], argnums: Any) -> tuple[list[Any], list[Any]]:
    """The arguments with fresh tensors at `argnums`, and these."""
    numbers = _check_argnums(argnums, len(args))
    made = [_fresh(args[n]) for n in numbers]
    swapped = list(args)
    for n, value in zip(numbers, made):
        swapped[n] = value
    return swapped, made


def _gradients(outputs: Any, inputs: list[Any], directions: Any = None, record: bool | None = None) -> list[Any]:
    """The gradients with respect to the fresh inputs, zeros where there are none.

    They are recorded only where someone can ask for their derivatives: where the graph leads to leaves outside, or `record` says so.
    """
    values = [innermost(x) for x in inputs]
    pairs = [(lifted(o), d) for o, d in zip(outputs, directions or [None] * len(outputs)) if o.requires_grad]
    if not pairs:
        return [rewrapped(tensors.zeros_like(v.detach()), x) for v, x in zip(values, inputs)]
    plain = [innermost(o) for o, _ in pairs]
    ones = tensors.ones_like
    starts = [ones(p.detach()) if d is None else innermost(lifted(d)) for p, (_, d) in zip(plain, pairs)]
    if record is None:
        record = any(s.requires_grad for s in starts) or _leads_elsewhere(plain, _own_leaves(inputs))
    found = autograd_grad(plain, values, starts, retain_graph=True, create_graph=record, allow_unused=True)
    return [rewrapped(tensors.zeros_like(v.detach()) if g is None else g, x) for g, v, x in zip(found, values, inputs)]


def _outputs(output: Any, call: str) -> list[Any]:
    """The tensors of a result. Raises RuntimeError for anything else, and for none."""
    found = _leaves(output)
    for each in found:
        if not isinstance(each, Tensor):
            raise RuntimeError(f"{call}: expected f(*primals) to return only tensors, got unsupported type {type(each)}")
    if not found:
        raise RuntimeError(f"{call}: Expected f to be a function that has non-empty output (got output = [])")
    return found


def _with_aux(output: Any, call: str) -> tuple[Any, Any]:
    if not (isinstance(output, tuple) and len(output) == 2):
        raise RuntimeError(f"{call}: output of function f should be a tuple: (output, aux) if has_aux is True")
    return output


def grad_and_value(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that gives the gradients of a scalar function with respect to the arguments `argnums`, and its value.

    With `has_aux` the function returns (value, anything) and the result is (gradients, (value, anything)).
    """

    @functools.wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        with _inside():
            swapped, made = _chosen(args, argnums)
            output = func(*swapped, **kwargs)
            aux = None
            if has_aux:
                output, aux = _with_aux(output, "grad_and_value(f)(*args)")
            if not isinstance(output, Tensor):
                raise RuntimeError(f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(output)}")
            if output.dim() != 0:
                raise RuntimeError(
                    "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor "
                    f"with {output.dim()} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
                )
            if output.is_complex():
                raise RuntimeError(f"grad can be implicitly created only for real scalar outputs but got {output.dtype}")
            inputs = _leaves(made)
            flat = _gradients([output], inputs)
            grads = tree_unflatten(flat, tree_flatten(made)[1])
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


_VJP = "vjp(f, *primals)"


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """`func(*primals)`, and a function from cotangents, in the structure of the result, to the products with its Jacobian."""
    with _inside():
        made = [_fresh(p) for p in primals]
        output = func(*made)
        aux = None
        if has_aux:
            output, aux = _with_aux(output, _VJP)
    outputs = _outputs(output, _VJP)
    inputs, spec = tree_flatten(tuple(made))
    single = isinstance(output, Tensor)

    def product(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given, given_spec = tree_flatten(cotangents)
        own_spec = tree_flatten(output)[1]
        if given_spec != own_spec:
            shown = "*" if single else _shown(output)
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. cotangents: "
                f"{_shown(cotangents)}, primal output: {shown}"
            )
        for i, (o, d) in enumerate(zip(outputs, given)):
            if d.shape != o.shape:
                raise RuntimeError(
                    f"Mismatch in shape: grad_output[{i}] has a shape of {d.shape} and output[{i}] has a shape of {o.shape}."
                )
        with _inside():
            found = tree_unflatten(_gradients(outputs, inputs, given), spec)
        found = _settled(found, inputs)
        return found

    value = _settled(output, inputs)
    return (value, product, _settled(aux, inputs)) if has_aux else (value, product)


def _shown(tree: Any) -> Any:
    """The structure of a tree in the way that dicts and tuples are printed, with a star for each leaf."""
    return repr(tree_map(lambda _: _STAR, tree))


class _Star:
    def __repr__(self) -> str:
        return "*"


_STAR = _Star()
_JVP = "jvp(f, primals, tangents)"


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """`func(*primals)` and the product of its Jacobian with the tangents, by differentiating twice in reverse mode.

    The gradient is linear in the vector that is carried back; its derivative by that vector is the product. `strict`: raises
    RuntimeError where a result does not depend on the primals, in place of a product of zeros.
    """
    if not isinstance(primals, tuple):
        raise RuntimeError(f"{_JVP}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals).")
    flat, spec = tree_flatten(primals)
    given, given_spec = tree_flatten(tangents)
    if spec != given_spec:
        raise RuntimeError(
            f"{_JVP}: Expected primals and tangents to have the same python structure. For example, if primals is a tuple of 3 tensors, "
            f"tangents also must be. Got primals with structure {spec} and tangents with structure {given_spec}"
        )
    for what, values in (("primals", flat), ("tangents", given)):
        if not values:
            raise RuntimeError(f"{_JVP}: Expected {what} to contain at least one Tensor.")
        for each in values:
            if not isinstance(each, Tensor):
                raise RuntimeError(f"{_JVP}: Expected {what} to only contain Tensors, got {type(each)}")
    for p, t in zip(flat, given):
        if p.shape != t.shape:
            raise RuntimeError(
                "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not supported. "
                f"Tensor is of size {list(p.shape)} while the given forward gradient is of size {list(t.shape)}."
            )
    with _inside():
        made = _fresh(primals)
        output = func(*made)
        aux = None
        if has_aux:
            output, aux = _with_aux(output, _JVP)
        outputs = _outputs(output, _JVP)
        push = _pushforward(outputs, _leaves(made), strict)
        product = tree_unflatten(push(given), tree_flatten(output)[1])
    own = _leaves(made) + push.carried  # type: ignore[attr-defined]
    value, product = _settled(output, own), _settled(product, own)
    return (value, product, _settled(aux, own)) if has_aux else (value, product)


def _pushforward(outputs: list[Any], inputs: list[Any], strict: bool = False) -> Callable[[list[Any]], list[Any]]:
    """A function from tangents of the inputs to those of the outputs."""
    recorded = [o for o in outputs if o.requires_grad]
    if strict and len(recorded) < len(outputs):
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not allowed with strict=True."
        )
    carried = [rewrapped(tensors.zeros_like(innermost(o).detach()).requires_grad_(), o) for o in map(lifted, recorded)]
    first = _gradients(recorded, inputs, carried) if recorded else []

    def push(tangents: list[Any]) -> list[Any]:
        found = iter(_gradients(first, carried, tangents) if recorded else ())
        return [next(found) if o.requires_grad else tensors.zeros_like(o) for o in outputs]

    push.carried = carried  # type: ignore[attr-defined]
    return push


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """`func(*primals)`, and the function that takes tangents to the product of the Jacobian there with them.

    The graph is recorded once; each product costs one walk through it. Tangents have the structure, shapes and dtypes of the primals.
    """
    with _inside():
        made = _fresh(primals)
        output = func(*made)
        found, spec = tree_flatten(output)
        outputs = [o for o in found if isinstance(o, Tensor)]
        push = _pushforward(outputs, _leaves(made))
    own = _leaves(made) + push.carried  # type: ignore[attr-defined]
    flat, primal_spec = tree_flatten(primals)

    def product(*tangents: Any) -> Any:
        given, given_spec = tree_flatten(tangents)
        if given_spec != primal_spec:
            raise RuntimeError(f"Expected the tangents {given_spec} to have the same argspec as the primals {primal_spec}")
        for i, (t, p) in enumerate(zip(given, flat)):
            for what in ("shape", "device", "dtype"):
                if getattr(t, what) != getattr(p, what):
                    raise RuntimeError(
                        f"tangent:{i} with {what} {getattr(t, what)} in flattened pytree doesn't match the {what} {getattr(p, what)} of "
                        "the corresponding primal."
                    )
        with _inside():
            results = iter(push(given))
            return _settled(tree_unflatten([next(results) if isinstance(o, Tensor) else o for o in found], spec), own)

    return _settled(output, own), product


def _refuse_complex(what: str, tree: Any, is_input: bool = True) -> None:
    for i, each in enumerate(_leaves(tree)):
        if isinstance(each, Tensor) and each.is_complex():
            side = "inputs" if is_input else "outputs"
            raise RuntimeError(f"{what}: Expected all {side} to be real but received complex tensor at flattened input idx: {i}")


def jacrev(
    func: Callable[..., Any], argnums: Any = 0, *, has_aux: bool = False, chunk_size: Any = None, _preallocate_and_copy: bool = False
) -> Callable[..., Any]:
    """A function that gives the Jacobian: per output and argument, a tensor of the output's shape followed by the argument's.

    One walk back for each element of the output. `chunk_size` changes nothing in the result.
    """
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")
    return _jacobian(func, argnums, has_aux, "jacrev", _VJP)


def _jacobian(func: Callable[..., Any], argnums: Any, has_aux: bool, name: str, call: str, randomness: str = "same") -> Callable[..., Any]:
    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        _refuse_complex(name, args)
        with _inside():
            swapped, made = _chosen(args, argnums)
            if randomness == "error":
                with RefusingRandomness():
                    output = func(*swapped, **kwargs)
            else:
                output = func(*swapped, **kwargs)
            aux = None
            if has_aux:
                output, aux = _with_aux(output, call)
            _outputs(output, call)
            _refuse_complex(name, output, False)
            inputs, spec = tree_flatten(tuple(made))
            record = _leads_elsewhere([innermost(o) for o in _leaves(output)], _own_leaves(inputs))

            def of_output(o: Any) -> Any:
                rows = [_gradients([e], inputs, None, record) for e in o.reshape(-1).unbind(0)] if o.numel() else []
                columns = [
                    (tensors.stack([row[i] for row in rows]) if rows else x.new_zeros((0, *x.shape))).reshape((*o.shape, *x.shape))
                    for i, x in enumerate(inputs)
                ]
                found = tree_unflatten(columns, spec)
                return found[0] if isinstance(argnums, int) else found

            result = tree_map(of_output, output)
        result = _settled(result, inputs)
        return (result, _settled(aux, inputs)) if has_aux else result

    return jacobian


def jacfwd(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error") -> Callable[..., Any]:
    """The same Jacobian as `jacrev` gives. One column for each element of the arguments in PyTorch; here it is taken by rows, too,
    unless `randomness` is "different", when each column is a call of its own."""
    if randomness not in ("error", "different", "same"):

        def refuse(*args: Any) -> Any:
            raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")

        return refuse
    if randomness != "different":
        return _jacobian(func, argnums, has_aux, "jacfwd", _JVP, randomness)

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        _refuse_complex("jacfwd", args)
        numbers = _check_argnums(argnums, len(args))
        primals = tuple(args[n] for n in numbers)
        flat, spec = tree_flatten(primals)

        def chosen(*values: Any) -> Any:
            swapped = list(args)
            for n, value in zip(numbers, values):
                swapped[n] = value
            return func(*swapped, **kwargs)

        total = sum(x.numel() for x in flat)
        basis, start = [], 0
        for x in flat:
            whole = NAMES["torch"]["zeros"](total, x.numel(), dtype=x.dtype)
            whole[start : start + x.numel()] = NAMES["torch"]["eye"](x.numel(), dtype=x.dtype)
            basis.append(whole.reshape(total, *x.shape))
            start += x.numel()

        def push(tangents: Any) -> Any:
            return jvp(chosen, primals, tangents, has_aux=has_aux)[1:]

        found = vmap(push, randomness=randomness)(tree_unflatten(basis, spec))
        columns, aux = found[0], tree_map(lambda t: t[0], found[1]) if has_aux else None

        def of_output(o: Any) -> Any:
            parts = o.movedim(0, -1).split([x.numel() for x in flat], -1)
            tree = tree_unflatten([p.reshape(*o.shape[1:], *x.shape) for p, x in zip(parts, flat)], spec)
            return tree[0] if isinstance(argnums, int) else tree

        result = tree_map(of_output, columns)
        return (result, aux) if has_aux else result

    return jacobian


def hessian(func: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
    """A function that gives the Hessian of a function: the Jacobian of its Jacobian."""
    return jacfwd(jacrev(func, argnums), argnums)


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """The function with PyTorch's in-place operators and views replaced inside, which shows in a traced graph alone.

    Results and changes of arguments are those of the function itself, which is what is called here.
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(
            f"functionalize(f, remove='mutations'): received invalid argument for remove={remove}. Valid options are:\n"
            "     remove='mutations': all inplace and out= operators will be removed from the program, and replaced with their "
            "out-of-place equivalents.\n"
            "     remove='mutations_and_views': In addition to the above, all aliasing operators {view} will be replaced with their "
            "non-aliasing counterparts, {view}_copy.\n"
        )

    @functools.wraps(func)
    def functionalized(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return functionalized


def debug_unwrap(tensor: Any, *, recurse: bool = True) -> Any:
    """What is inside of a tensor that a transform has wrapped, of all transforms with `recurse`; for looking at it alone."""
    if not recurse:
        return tensor._value if tensor.__class__ is BatchedTensor else tensor
    return innermost(tensor)


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


def stack_module_state(models: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and the buffers of several modules of one kind, stacked by name."""
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not (all(m.training for m in models) or all(not m.training for m in models)):
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if not all(type(m) is type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")

    def stacked(of: str) -> dict[str, Any]:
        dicts = [dict(getattr(m, of)()) for m in models]
        return {key: tensors.stack([d[key].detach() for d in dicts], 0).requires_grad_(dicts[0][key].requires_grad) for key in dicts[0]}

    return stacked("named_parameters"), stacked("named_buffers")


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Turns off the running statistics of the batch norms in a module, in place: `vmap` cannot update what all samples share."""
    from .nn.modules.batchnorm import _BatchNorm

    for module in root.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root
