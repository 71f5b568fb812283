"""The base of all optimizers against PyTorch: groups, checkpoints, hooks, messages."""

import copy
import gc
import io
import pickle
import weakref

import pytest

import flambeau
from harness import parity
from optim.training import give_gradients, parameters, tensor


def build(torch, name="SGD", **options):
    params = parameters(torch)
    return params, getattr(torch.optim, name)(params, **options)


def keys(state_dict):
    return {number: {name: (str(v.dtype), tuple(v.shape)) for name, v in state.items()} for number, state in state_dict["state"].items()}


# --- parameters and groups ---------------------------------------------------------------------------------------------

BAD_PARAMS = {
    "a tensor": lambda torch: torch.nn.Parameter(torch.ones(2)),
    "nothing": lambda torch: [],
    "a set": lambda torch: [{"params": {torch.nn.Parameter(torch.ones(2))}}],
    "a string": lambda torch: ["weight"],
    "a number": lambda torch: [{"params": 3}],
    "a non-leaf": lambda torch: [torch.ones(2, requires_grad=True) * 2],
    "a list of lists": lambda torch: [[torch.nn.Parameter(torch.ones(2))]],
    "no dict": lambda torch: [{"params": [torch.nn.Parameter(torch.ones(2))]}, 3],
    "some names": lambda torch: [("a", torch.nn.Parameter(torch.ones(2))), torch.nn.Parameter(torch.ones(2))],
    "names in one group": lambda torch: [
        {"params": [("a", torch.nn.Parameter(torch.ones(2)))]},
        {"params": [torch.nn.Parameter(torch.ones(2))]},
    ],
    "names in the other group": lambda torch: [
        {"params": [torch.nn.Parameter(torch.ones(2))]},
        {"params": [("a", torch.nn.Parameter(torch.ones(2)))]},
    ],
    "a group without parameters": lambda torch: [{"lr": 0.1}],
}


@pytest.mark.parametrize("params", BAD_PARAMS.values(), ids=BAD_PARAMS)
@parity
def test_parameters_that_are_refused(torch, params):
    return repr(torch.optim.SGD(params(torch), lr=0.1))


@parity
def test_a_parameter_in_two_groups_is_refused(torch):
    p = torch.nn.Parameter(torch.ones(2))
    torch.optim.SGD([{"params": [p]}, {"params": [p]}], lr=0.1)


@parity(warns=True)
def test_a_parameter_twice_in_a_group_gives_a_warning(torch):
    p = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([p, p], lr=0.1)
    p.grad = torch.ones(2)
    optimizer.step()
    return p.detach(), optimizer.state_dict()


@parity
def test_groups_keep_their_own_options(torch):
    params = parameters(torch)
    optimizer = torch.optim.Adam([{"params": params[0], "lr": 0.5, "name": "first"}, {"params": iter(params[1:3])}], lr=0.1)
    optimizer.add_param_group({"params": params[3:], "betas": (0.5, 0.5)})
    give_gradients(torch, params, 1)
    optimizer.step()
    return repr(optimizer), optimizer.state_dict(), [p.detach() for p in params]


@parity
def test_named_parameters(torch):
    module = torch.nn.Linear(2, 3)
    optimizer = torch.optim.SGD(module.named_parameters(), lr=0.1)
    return optimizer.state_dict()["param_groups"], repr(optimizer)


@parity
def test_a_required_option_must_be_given(torch):
    from importlib import import_module

    required = import_module(f"{torch.__name__}.optim.optimizer").required
    optimizer = torch.optim.Optimizer([{"params": parameters(torch)[:1], "rate": 1}], {"rate": required})
    shown = repr(required)
    optimizer.add_param_group({"params": parameters(torch)[1:]})
    return shown


@parity
def test_add_param_group_needs_a_dict(torch):
    build(torch, lr=0.1)[1].add_param_group([torch.ones(2)])


@parity
def test_a_base_optimizer_cannot_step(torch):
    try:
        torch.optim.Optimizer(parameters(torch), {}).step()
    except NotImplementedError as error:
        return type(error).__name__


# --- stepping ----------------------------------------------------------------------------------------------------------


@parity
def test_zero_grad(torch):
    params, optimizer = build(torch, lr=0.1)
    give_gradients(torch, params, 0)
    grads = [p.grad for p in params]
    optimizer.zero_grad(set_to_none=False)
    kept = [p.grad is grad for p, grad in zip(params, grads)]
    zeros = [None if p.grad is None else p.grad.clone() for p in params]
    optimizer.zero_grad()
    return kept, zeros, [p.grad for p in params]


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad"])
@parity
def test_a_closure_is_called_once_with_gradients_on(torch, name):
    p = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = getattr(torch.optim, name)([p], lr=0.1)
    calls = []

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        calls.append(torch.is_grad_enabled())
        return loss

    with torch.no_grad():
        loss = optimizer.step(closure)
    return loss.detach(), calls, p.detach(), optimizer.step()


@parity
def test_a_step_counts_as_an_in_place_change(torch):
    p = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([p], lr=0.1)
    loss = (p * p).sum()
    p.grad = torch.ones(2)
    before = p._version
    optimizer.step()
    loss.backward()
    return before


@parity
def test_the_version_of_a_parameter_grows(torch):
    params, optimizer = build(torch, lr=0.1)
    before = [p._version for p in params]
    give_gradients(torch, params, 0)
    optimizer.step()
    return [after > b for after, b in zip([p._version for p in params], before)]


@parity
def test_a_parameter_changes_in_place(torch):
    p = torch.nn.Parameter(torch.ones(3))
    view, alias = p.detach()[1:], p.data
    optimizer = torch.optim.AdamW([p], lr=0.1)
    p.grad = torch.ones(3)
    optimizer.step()
    return view, alias, p.grad


@parity
def test_state_belongs_to_the_parameter(torch):
    params, optimizer = build(torch, "Adam")
    give_gradients(torch, params, 0)
    optimizer.step()
    state = optimizer.state[params[0]]
    state["exp_avg"].zero_()
    optimizer.state[params[2]]["exp_avg"] = torch.ones(())
    params[3].data = params[3].data * 2
    give_gradients(torch, params, 1)
    optimizer.step()
    return [p.detach() for p in params], len(optimizer.state), type(optimizer.state).__name__, list(state), params[1] in optimizer.state


@parity
def test_differing_options_between_steps(torch):
    params, optimizer = build(torch, "AdamW", lr=0.1)
    for step in range(3):
        give_gradients(torch, params, step)
        optimizer.param_groups[0]["lr"] = 0.1 / (step + 1)
        optimizer.param_groups[0]["betas"] = (0.9 - 0.1 * step, 0.99)
        optimizer.step()
    return [p.detach() for p in params]


@parity
def test_float64_as_default_dtype_gives_float64_step_counts(torch):
    torch.set_default_dtype(torch.float64)
    try:
        params, optimizer = build(torch, "Adam")
        give_gradients(torch, params, 0)
        optimizer.step()
        return str(optimizer.state[params[0]]["step"].dtype)
    finally:
        torch.set_default_dtype(torch.float32)


FUSED = {"SGD": dict(lr=0.1, momentum=0.9), "Adam": {}, "AdamW": dict(amsgrad=True), "Adagrad": {}}


@pytest.mark.parametrize("name", FUSED)
@parity
def test_a_fused_step_divides_by_the_scale_and_skips_what_is_infinite(torch, name):
    params = parameters(torch, shapes=[(3, 4), ()])
    optimizer = getattr(torch.optim, name)(params, fused=True, **FUSED[name])
    seen = []
    for step, found_inf in enumerate([0.0, 1.0, 0.0]):
        give_gradients(torch, params, step + 1)
        optimizer.grad_scale, optimizer.found_inf = torch.tensor(8.0), torch.tensor(found_inf)
        optimizer.step()
        seen.append([(p.detach().clone(), p.grad) for p in params])
    return seen, optimizer.state_dict(), optimizer._step_supports_amp_scaling


def test_a_skipped_first_step_leaves_no_momentum():
    params = parameters(flambeau, shapes=[(3, 4)])
    optimizer = flambeau.optim.SGD(params, lr=0.1, momentum=0.9, fused=True)
    give_gradients(flambeau, params, 1)
    optimizer.found_inf = flambeau.tensor(1.0)
    optimizer.step()
    assert not optimizer.state


@pytest.mark.parametrize("name", FUSED)
@parity
def test_a_scale_is_for_fused_steps_alone(torch, name):
    params, optimizer = build(torch, name, **FUSED[name])
    give_gradients(torch, params, 0)
    optimizer.grad_scale = torch.tensor(8.0)
    optimizer.step()


# --- checkpoints -------------------------------------------------------------------------------------------------------

OPTIMIZERS = {
    "SGD": dict(lr=0.1, momentum=0.9),
    "Adam": dict(amsgrad=True),
    "AdamW": {},
    "RMSprop": dict(momentum=0.9, centered=True),
    "Adagrad": {},
    "Adadelta": {},
    "Adamax": {},
    "NAdam": {},
    "RAdam": {},
    "ASGD": {},
    "Rprop": {},
}


def continued(torch, name, how):
    """Two steps, a checkpoint that goes through `how`, then two more in a new optimizer."""
    params, optimizer = build(torch, name, **OPTIMIZERS[name])
    for step in range(2):
        give_gradients(torch, params, step)
        optimizer.step()
    other = getattr(torch.optim, name)(params, **OPTIMIZERS[name])
    other.load_state_dict(how(optimizer.state_dict()))
    for step in range(2, 4):
        give_gradients(torch, params, step)
        other.step()
    return [p.detach() for p in params], other.state_dict()


@pytest.mark.parametrize("name", OPTIMIZERS)
@parity
def test_a_run_continues_from_its_state_dict(torch, name):
    return continued(torch, name, copy.deepcopy)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_state_dict_goes_through_pickle(name):
    expected, _ = continued(flambeau, name, copy.deepcopy)
    actual, _ = continued(flambeau, name, lambda state: pickle.loads(pickle.dumps(state)))
    for a, b in zip(actual, expected):
        assert flambeau.equal(a, b)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_goes_through_pickle(name):
    params, optimizer = build(flambeau, name, **OPTIMIZERS[name])
    give_gradients(flambeau, params, 0)
    optimizer.step()
    other = pickle.loads(pickle.dumps(optimizer))
    assert type(other) is type(optimizer)
    assert repr(other) == repr(optimizer)
    copies = other.param_groups[0]["params"]
    give_gradients(flambeau, params, 1)
    give_gradients(flambeau, copies, 1)
    optimizer.step()
    other.step()
    for p, q in zip(params, copies):
        assert p is not q
        assert flambeau.equal(p, q)


def test_deepcopy_gives_an_independent_optimizer():
    params, optimizer = build(flambeau, "Adam")
    give_gradients(flambeau, params, 0)
    other = copy.deepcopy(optimizer)
    other_params = other.param_groups[0]["params"]
    give_gradients(flambeau, other_params, 0)
    before = [p.detach().clone() for p in params]
    other.step()
    assert all(flambeau.equal(p, b) for p, b in zip(params, before))
    assert not flambeau.equal(other_params[0], params[0])


@parity
def test_tensors_of_a_state_dict_are_those_of_the_optimizer(torch):
    params, optimizer = build(torch, "SGD", lr=0.1, momentum=0.9)
    give_gradients(torch, params, 1)
    optimizer.step()
    state = optimizer.state_dict()
    same = state["state"][0]["momentum_buffer"] is optimizer.state[params[0]]["momentum_buffer"]
    other = torch.optim.SGD(params, lr=0.1, momentum=0.9)
    other.load_state_dict(state)
    return same, other.state[params[0]]["momentum_buffer"] is state["state"][0]["momentum_buffer"], keys(state)


@parity
def test_loading_casts_state_to_the_parameter(torch):
    params, optimizer = build(torch, "Adam")
    give_gradients(torch, params, 1)
    optimizer.step()
    state = optimizer.state_dict()
    doubles = [torch.nn.Parameter(p.detach().double()) for p in params]
    other = torch.optim.Adam(doubles, fused=True)
    other.load_state_dict(state)
    return keys(other.state_dict()), other.state_dict()["param_groups"]


@parity
def test_numbers_in_old_checkpoints_become_tensors(torch):
    _, optimizer = build(torch, "NAdam")
    state = {i: {"step": 3, "mu_product": 0.5, "exp_avg": torch.ones(2), "exp_avg_sq": torch.ones(2)} for i in range(5)}
    groups = [{"lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0, "momentum_decay": 0.004, "params": list(range(5))}]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    return optimizer.state_dict()


@parity
def test_adamw_stays_decoupled_after_loading_an_adam_checkpoint(torch):
    params, optimizer = build(torch, "AdamW")
    optimizer.load_state_dict(torch.optim.Adam(params).state_dict())
    return optimizer.state_dict()


def mismatches(torch):
    params, optimizer = build(torch, lr=0.1)
    return optimizer, {
        "groups": torch.optim.SGD([{"params": params[:2]}, {"params": params[2:]}], lr=0.1).state_dict(),
        "sizes": torch.optim.SGD(params[:2], lr=0.1).state_dict(),
    }


@pytest.mark.parametrize("kind", ["groups", "sizes"])
@parity
def test_checkpoints_that_do_not_fit(torch, kind):
    optimizer, states = mismatches(torch)
    optimizer.load_state_dict(states[kind])


@parity
def test_names_in_checkpoints(torch):
    module = torch.nn.Linear(2, 3)
    named = torch.optim.SGD(module.named_parameters(), lr=0.1)
    plain = torch.optim.SGD(module.parameters(), lr=0.2)
    named.load_state_dict(plain.state_dict())
    first = named.state_dict()["param_groups"]
    plain.load_state_dict(named.state_dict())
    return first, plain.state_dict()["param_groups"]


@parity
def test_state_of_no_parameter_is_kept(torch):
    _, optimizer = build(torch, lr=0.1)
    state = optimizer.state_dict()
    state["state"]["extra"] = {"value": 3}
    optimizer.load_state_dict(state)
    return optimizer.state_dict()["state"]


# --- hooks -------------------------------------------------------------------------------------------------------------


@parity
def test_the_order_of_step_hooks(torch):
    from importlib import import_module

    module = import_module(f"{torch.__name__}.optim.optimizer")
    params, optimizer = build(torch, lr=0.1)
    calls = []

    def note(text):
        return lambda opt, args, kwargs: calls.append((text, opt is optimizer, args[0] is optimizer, len(args), list(kwargs)))

    handles = [
        module.register_optimizer_step_pre_hook(note("global pre")),
        module.register_optimizer_step_post_hook(note("global post")),
        optimizer.register_step_pre_hook(note("pre")),
        optimizer.register_step_post_hook(note("post")),
    ]
    give_gradients(torch, params, 0)
    optimizer.step(closure=None)
    for handle in handles:
        handle.remove()
    optimizer.step()
    return calls


@parity
def test_a_pre_hook_may_change_the_arguments(torch):
    _, optimizer = build(torch, lr=0.1)
    optimizer.register_step_pre_hook(lambda opt, args, kwargs: (args, {"closure": lambda: 7}))
    return optimizer.step()


@parity(message="must return None or a tuple of \\(new_args, new_kwargs\\), but got 3.$")
def test_a_pre_hook_that_returns_something_else(torch):
    _, optimizer = build(torch, lr=0.1)
    optimizer.register_step_pre_hook(lambda opt, args, kwargs: 3)
    optimizer.step()


@parity
def test_hooks_of_a_users_optimizer(torch):
    class Plain(torch.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.5})

        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.data.sub_(p.grad * group["lr"])
            return "done"

    p = torch.nn.Parameter(torch.ones(2))
    p.grad = torch.ones(2)
    optimizer = Plain([p])
    calls = []
    optimizer.register_step_post_hook(lambda *args: calls.append(len(args)))
    return optimizer.step(), calls, p.detach(), repr(optimizer)


@parity
def test_state_dict_hooks(torch):
    _, optimizer = build(torch, lr=0.1)
    calls = []
    optimizer.register_state_dict_pre_hook(lambda opt: calls.append("second"))
    optimizer.register_state_dict_pre_hook(lambda opt: calls.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda opt, state: {**state, "extra": 1})
    optimizer.register_state_dict_post_hook(lambda opt, state: state.update(more=2))
    state = optimizer.state_dict()
    optimizer.register_load_state_dict_pre_hook(lambda opt, given: calls.append(sorted(given)))
    optimizer.register_load_state_dict_pre_hook(lambda opt, given: {k: v for k, v in given.items() if k != "extra"}, prepend=True)
    optimizer.register_load_state_dict_post_hook(lambda opt: calls.append("loaded"))
    optimizer.register_load_state_dict_post_hook(lambda opt: calls.append("before"), prepend=True)
    optimizer.load_state_dict(state)
    return calls, state


# --- the object --------------------------------------------------------------------------------------------------------


@parity
def test_names_of_the_classes(torch):
    names = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "ASGD", "Rprop", "LBFGS", "SparseAdam"]
    names += ["Optimizer", "Muon", "Adafactor"]
    return [getattr(torch.optim, name) for name in names]


def test_an_optimizer_is_freed_without_the_garbage_collector():
    gc.disable()
    try:
        params, optimizer = build(flambeau, "AdamW")
        flambeau.optim.lr_scheduler.StepLR(optimizer, 1)
        give_gradients(flambeau, params, 0)
        optimizer.step()
        gone = weakref.ref(optimizer)
        del optimizer
        assert gone() is None
    finally:
        gc.enable()


def test_saving_writes_no_more_than_the_state():
    params, optimizer = build(flambeau, "AdamW")
    give_gradients(flambeau, params, 1)
    optimizer.step()
    state = optimizer.state_dict()["state"]
    for entry in state.values():
        for value in entry.values():
            assert value.untyped_storage().nbytes() == value.nbytes
    buffer = io.BytesIO()
    flambeau.save(optimizer.state_dict(), buffer)
    buffer.seek(0)
    loaded = flambeau.load(buffer)["state"]
    for number, entry in state.items():
        for name, value in entry.items():
            assert flambeau.equal(loaded[number][name], value)


@parity
def test_a_tensor_lr_is_shared_and_may_be_changed(torch):
    p = torch.nn.Parameter(tensor(torch, 0, (3,)))
    lr = torch.tensor([0.5])
    optimizer = torch.optim.SGD([p], lr=lr)
    p.grad = tensor(torch, 1, (3,))
    optimizer.step()
    lr.fill_(0.25)
    optimizer.step()
    return p.detach(), repr(optimizer)
