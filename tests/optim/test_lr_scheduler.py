"""Learning-rate schedules against PyTorch: every rate exactly, state, warnings and messages."""

import copy
import pickle

import pytest

import flambeau
from harness import parity

SCHEDULES = {
    "LambdaLR": lambda m, o: m.LambdaLR(o, [lambda e: 0.95**e, lambda e: 1 / (e + 1)]),
    "LambdaLR for all": lambda m, o: m.LambdaLR(o, lambda e: min(1, (e + 1) / 8)),
    "MultiplicativeLR": lambda m, o: m.MultiplicativeLR(o, lambda e: 0.9 + e / 100),
    "StepLR": lambda m, o: m.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda m, o: m.MultiStepLR(o, [2, 5, 5, 9], 0.3),
    "ConstantLR": lambda m, o: m.ConstantLR(o, 0.4, 4),
    "LinearLR": lambda m, o: m.LinearLR(o, 0.25, 0.8, 7),
    "ExponentialLR": lambda m, o: m.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda m, o: m.PolynomialLR(o, 12, 2.0),
    "CosineAnnealingLR": lambda m, o: m.CosineAnnealingLR(o, 8, 0.01),
    "CosineAnnealingLR, long": lambda m, o: m.CosineAnnealingLR(o, 50),
    "CosineAnnealingWarmRestarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, 3, 2, 0.001),
    "CosineAnnealingWarmRestarts, equal": lambda m, o: m.CosineAnnealingWarmRestarts(o, 4),
    "CyclicLR": lambda m, o: m.CyclicLR(o, 0.01, 0.1, 4, 3),
    "CyclicLR triangular2": lambda m, o: m.CyclicLR(o, 0.01, 0.1, 3, mode="triangular2", cycle_momentum=False),
    "CyclicLR exp_range": lambda m, o: m.CyclicLR(o, [0.01, 0.02], [0.1, 0.3], 4, mode="exp_range", gamma=0.95),
    "CyclicLR scale_fn": lambda m, o: m.CyclicLR(o, 0.01, 0.1, 4, scale_fn=lambda x: 1 / (1 + x), scale_mode="iterations"),
    "OneCycleLR": lambda m, o: m.OneCycleLR(o, 0.4, 25),
    "OneCycleLR linear": lambda m, o: m.OneCycleLR(
        o, [0.4, 0.1], epochs=5, steps_per_epoch=5, anneal_strategy="linear", pct_start=0.4, cycle_momentum=False
    ),
    "OneCycleLR three phases": lambda m, o: m.OneCycleLR(o, 0.4, 22, three_phase=True),
    "SequentialLR": lambda m, o: m.SequentialLR(o, [m.ConstantLR(o, 0.1, 3), m.ExponentialLR(o, 0.9), m.CosineAnnealingLR(o, 6)], [3, 9]),
    "SequentialLR within": lambda m, o: m.SequentialLR(
        o, [m.SequentialLR(o, [m.ConstantLR(o, 0.1, 2), m.StepLR(o, 2)], [2]), m.LinearLR(o, 0.5, 1.0, 4)], [6]
    ),
    "ChainedScheduler": lambda m, o: m.ChainedScheduler([m.LinearLR(o, 0.2, total_iters=5), m.ExponentialLR(o, 0.95)]),
    "SWALR": lambda m, o: m.swa.SWALR(o, 0.05, 6, "linear"),
    "SWALR cos": lambda m, o: m.swa.SWALR(o, [0.05, 0.02], 8),
    "SWALR at once": lambda m, o: m.swa.SWALR(o, 0.05, 0),
}


class Schedulers:
    """torch.optim.lr_scheduler, and swa_utils as `swa`."""

    def __init__(self, torch):
        self.module, self.swa = torch.optim.lr_scheduler, torch.optim.swa_utils

    def __getattr__(self, name):
        return getattr(self.module, name)


def optimizer_of(torch, name="SGD", **options):
    p, q = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    return getattr(torch.optim, name)([{"params": [p], "lr": 0.5}, {"params": [q]}], lr=0.05, **options)


def rates(optimizer, scheduler, count=20):
    found = []
    for _ in range(count):
        optimizer.step()
        scheduler.step()
        found.append([(float(g["lr"]), g.get("momentum"), g.get("betas")) for g in optimizer.param_groups])
        found.append([float(rate) for rate in scheduler.get_last_lr()])
    return found


def plain(state):
    """A state_dict without functions and without order."""
    return {key: plain(v) if isinstance(v, dict) else str(v) for key, v in sorted(state.items()) if not callable(v)}


@pytest.mark.parametrize("name", SCHEDULES)
@parity(exact=True, warns=True)
def test_rates(torch, name):
    optimizer = optimizer_of(torch, momentum=0.9)
    scheduler = SCHEDULES[name](Schedulers(torch), optimizer)
    first = [float(g["lr"]) for g in optimizer.param_groups]
    found = rates(optimizer, scheduler)
    return first, found, plain(scheduler.state_dict()), optimizer.state_dict()["param_groups"]


@pytest.mark.parametrize("name", ["CyclicLR", "OneCycleLR", "OneCycleLR three phases"])
@parity(exact=True)
def test_the_first_beta_is_the_momentum_of_adam(torch, name):
    optimizer = optimizer_of(torch, "Adam")
    return rates(optimizer, SCHEDULES[name](Schedulers(torch), optimizer))


@pytest.mark.parametrize("name", SCHEDULES)
@parity(exact=True)
def test_a_schedule_continues_from_its_state_dict(torch, name):
    optimizer = optimizer_of(torch, momentum=0.9)
    scheduler = SCHEDULES[name](Schedulers(torch), optimizer)
    rates(optimizer, scheduler, 9)
    states = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    keys = sorted(states[1])
    optimizer = optimizer_of(torch, momentum=0.9)
    scheduler = SCHEDULES[name](Schedulers(torch), optimizer)
    optimizer.load_state_dict(states[0])
    scheduler.load_state_dict(states[1])
    return rates(optimizer, scheduler, 9), keys


CHAINABLE = ["StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR", "CyclicLR"]


@pytest.mark.parametrize("name", [*CHAINABLE, "LambdaLR", "CosineAnnealingWarmRestarts"])
@parity(warns=True)
def test_stepping_to_an_epoch(torch, name):
    optimizer = optimizer_of(torch, momentum=0.9)
    scheduler = SCHEDULES[name](Schedulers(torch), optimizer)
    found = []
    for epoch in (3, 4, 9, 2):
        optimizer.step()
        scheduler.step(epoch)
        found.append(scheduler.get_last_lr())
    return found


@parity(exact=True)
def test_warm_restarts_at_fractions_of_epochs(torch):
    optimizer = optimizer_of(torch)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 2, 2)
    found = []
    for i in range(20):
        scheduler.step(i / 2)
        found.append([scheduler.get_last_lr(), scheduler.T_cur, scheduler.T_i, scheduler.last_epoch])
    return found


@pytest.mark.parametrize("name", [*CHAINABLE, "LambdaLR", "MultiplicativeLR", "OneCycleLR", "CosineAnnealingWarmRestarts"])
@parity(exact=True)
def test_resuming_at_a_later_epoch(torch, name):
    optimizer = optimizer_of(torch, momentum=0.9)
    rates(optimizer, SCHEDULES[name](Schedulers(torch), optimizer), 4)
    m = torch.optim.lr_scheduler
    later = {
        "LambdaLR": lambda: m.LambdaLR(optimizer, lambda e: 0.9**e, last_epoch=4),
        "MultiplicativeLR": lambda: m.MultiplicativeLR(optimizer, lambda e: 0.9, last_epoch=4),
        "StepLR": lambda: m.StepLR(optimizer, 3, 0.5, last_epoch=4),
        "MultiStepLR": lambda: m.MultiStepLR(optimizer, [5, 6], 0.5, last_epoch=4),
        "ConstantLR": lambda: m.ConstantLR(optimizer, 0.5, 6, last_epoch=4),
        "LinearLR": lambda: m.LinearLR(optimizer, 0.5, 1.0, 8, last_epoch=4),
        "ExponentialLR": lambda: m.ExponentialLR(optimizer, 0.9, last_epoch=4),
        "PolynomialLR": lambda: m.PolynomialLR(optimizer, 12, 2.0, last_epoch=4),
        "CosineAnnealingLR": lambda: m.CosineAnnealingLR(optimizer, 8, 0.01, last_epoch=4),
        "CyclicLR": lambda: m.CyclicLR(optimizer, 0.01, 0.1, 4, 3, last_epoch=4),
        "OneCycleLR": lambda: m.OneCycleLR(optimizer, 0.4, 25, last_epoch=4),
        "CosineAnnealingWarmRestarts": lambda: m.CosineAnnealingWarmRestarts(optimizer, 3, 2, last_epoch=4),
    }[name]()
    return later.get_last_lr(), rates(optimizer, later, 6)


METRICS = [1.0, 0.9, 0.95, 0.93, 0.91, 0.92, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.4, 0.41, 0.42, 0.43, 0.44, 0.45, float("nan"), 0.47]
PLATEAUS = [
    dict(patience=2, factor=0.5, cooldown=1),
    dict(mode="max", patience=1, threshold=0.01, threshold_mode="abs", min_lr=[0.1, 0.01]),
    dict(mode="max", patience=0),
    dict(patience=0, threshold=0.1, threshold_mode="abs", factor=0.9, eps=0.01),
]


@pytest.mark.parametrize("options", PLATEAUS, ids=str)
@parity(exact=True)
def test_reduce_on_plateau(torch, options):
    optimizer = optimizer_of(torch)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    found = []
    for metric in METRICS:
        scheduler.step(torch.tensor(metric, dtype=torch.float64))
        found.append([scheduler.get_last_lr(), scheduler.num_bad_epochs, scheduler.in_cooldown])
    other = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer_of(torch))
    other.load_state_dict(scheduler.state_dict())
    return found, plain(scheduler.state_dict()), plain(other.state_dict())


@parity
def test_a_group_added_after_the_schedule(torch):
    optimizer = optimizer_of(torch)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.01, 0.02])
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))]})
    for _ in range(3):
        scheduler.step(1.0)


@parity(exact=True)
def test_a_group_added_after_the_schedule_takes_the_common_minimum(torch):
    optimizer = optimizer_of(torch)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=0.01)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))]})
    for _ in range(3):
        scheduler.step(1.0)
    return scheduler.get_last_lr(), scheduler.min_lrs


@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingLR", "LinearLR", "SequentialLR"])
@parity
def test_a_tensor_rate_stays_the_same_tensor(torch, name):
    p, q = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    rate, other = torch.tensor(0.5), torch.tensor(0.05)
    optimizer = torch.optim.SGD([{"params": [p], "lr": rate}, {"params": [q]}], lr=other)
    scheduler = SCHEDULES[name](Schedulers(torch), optimizer)
    for _ in range(5):
        optimizer.step()
        scheduler.step()
    return rate, optimizer.param_groups[0]["lr"] is rate, scheduler.get_last_lr(), scheduler.get_last_lr()[0] is rate


@parity(exact=True)
def test_a_rate_changed_by_hand_is_the_base_of_the_next(torch):
    optimizer = optimizer_of(torch)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 8.0
    scheduler.step()
    return scheduler.get_last_lr()


# --- warnings and messages -----------------------------------------------------------------------------------------------


@parity(warns=True)
def test_a_step_before_the_optimizers(torch):
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer_of(torch), 3)
    scheduler.step()
    scheduler.step()


@parity(warns=True)
def test_an_overridden_step(torch):
    optimizer = optimizer_of(torch)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    optimizer.step = lambda: None
    scheduler.step()


@parity(warns=True)
def test_get_lr_outside_a_step(torch):
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer_of(torch), 3)
    torch.optim.swa_utils.SWALR(optimizer_of(torch), 0.1).get_lr()
    return scheduler.get_lr()


@parity(warns=True)
def test_two_schedules_of_one_optimizer(torch):
    optimizer = optimizer_of(torch)
    schedulers = [torch.optim.lr_scheduler.StepLR(optimizer, 2), torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]
    for _ in range(4):
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return [s.get_last_lr() for s in schedulers], optimizer._opt_called


BAD = {
    "no optimizer": lambda m, o: m.StepLR(3, 1),
    "no optimizer to reduce": lambda m, o: m.ReduceLROnPlateau([1]),
    "no optimizer to cycle": lambda m, o: m.CyclicLR(None, 0.1, 0.2),
    "no optimizer for one cycle": lambda m, o: m.OneCycleLR("x", 0.1, 3),
    "resuming": lambda m, o: m.StepLR(o, 3, last_epoch=2),
    "lambdas": lambda m, o: m.LambdaLR(o, [lambda e: 1]),
    "multiplicative lambdas": lambda m, o: m.MultiplicativeLR(o, [lambda e: 1]),
    "no function": lambda m, o: m.MultiplicativeLR(o, 3),
    "factor": lambda m, o: m.ConstantLR(o, 1.5),
    "start factor": lambda m, o: m.LinearLR(o, 0.0),
    "end factor": lambda m, o: m.LinearLR(o, 0.5, 2.0),
    "no schedules": lambda m, o: m.SequentialLR(o, [], []),
    "milestones": lambda m, o: m.SequentialLR(o, [m.StepLR(o, 1)], [1, 2]),
    "plateau in sequence": lambda m, o: m.SequentialLR(o, [m.ReduceLROnPlateau(o), m.StepLR(o, 1)], [1]),
    "no schedule in sequence": lambda m, o: m.SequentialLR(o, [3], []),
    "other optimizer in chain": lambda m, o: m.ChainedScheduler([m.StepLR(o, 1), m.StepLR(m.other, 1)]),
    "no schedules in chain": lambda m, o: m.ChainedScheduler([]),
    "plateau in chain": lambda m, o: m.ChainedScheduler([m.ReduceLROnPlateau(o)]),
    "plateau factor": lambda m, o: m.ReduceLROnPlateau(o, factor=1.0),
    "plateau mode": lambda m, o: m.ReduceLROnPlateau(o, mode="best"),
    "plateau threshold mode": lambda m, o: m.ReduceLROnPlateau(o, threshold_mode="best"),
    "plateau minima": lambda m, o: m.ReduceLROnPlateau(o, min_lr=[0.1]),
    "cyclic mode": lambda m, o: m.CyclicLR(o, 0.1, 0.2, mode="square"),
    "cyclic rates": lambda m, o: m.CyclicLR(o, [0.1], 0.2),
    "cyclic maxima": lambda m, o: m.CyclicLR(o, 0.1, [0.2]),
    "cyclic momentum": lambda m, o: m.CyclicLR(m.without_momentum, 0.1, 0.2),
    "T_0": lambda m, o: m.CosineAnnealingWarmRestarts(o, 0),
    "T_0 a float": lambda m, o: m.CosineAnnealingWarmRestarts(o, 1.5),
    "T_mult": lambda m, o: m.CosineAnnealingWarmRestarts(o, 1, 0),
    "eta_min": lambda m, o: m.CosineAnnealingWarmRestarts(o, 1, 1, "0"),
    "negative epoch": lambda m, o: m.CosineAnnealingWarmRestarts(o, 1).step(-1),
    "total_steps": lambda m, o: m.OneCycleLR(o, 0.1, 0),
    "no steps": lambda m, o: m.OneCycleLR(o, 0.1),
    "epochs": lambda m, o: m.OneCycleLR(o, 0.1, epochs=-1, steps_per_epoch=2),
    "steps_per_epoch": lambda m, o: m.OneCycleLR(o, 0.1, epochs=1, steps_per_epoch=2.5),
    "pct_start": lambda m, o: m.OneCycleLR(o, 0.1, 3, pct_start=2.0),
    "anneal_strategy": lambda m, o: m.OneCycleLR(o, 0.1, 3, anneal_strategy="line"),
    "one cycle momentum": lambda m, o: m.OneCycleLR(m.without_momentum, 0.1, 3),
    "beyond the end": lambda m, o: [s.step() for s in [m.OneCycleLR(o, 0.1, 3)] for _ in range(5)],
    "swa strategy": lambda m, o: m.swa.SWALR(o, 0.1, anneal_strategy="line"),
    "swa epochs": lambda m, o: m.swa.SWALR(o, 0.1, anneal_epochs=-1),
    "swa rates": lambda m, o: m.swa.SWALR(o, [0.1]),
    "base class": lambda m, o: m.LRScheduler(o),
}


@pytest.mark.parametrize("name", BAD)
@parity
def test_what_is_refused(torch, name):
    schedulers = Schedulers(torch)
    schedulers.other = optimizer_of(torch)
    schedulers.without_momentum = optimizer_of(torch, "Adagrad")
    BAD[name](schedulers, optimizer_of(torch, momentum=0.9))


# --- the object --------------------------------------------------------------------------------------------------------


class Halving:
    """A callable object, whose attributes a checkpoint keeps."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, epoch):
        return self.factor**epoch


@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR"])
@parity(exact=True)
def test_callable_objects_are_saved(torch, name):
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer_of(torch), [Halving(0.5), lambda e: 1.0])
    state = scheduler.state_dict()
    other = getattr(torch.optim.lr_scheduler, name)(optimizer_of(torch), [Halving(0.1), lambda e: 1.0])
    other.load_state_dict(state)
    other.step()
    return state["lr_lambdas"], other.get_last_lr(), "lr_lambdas" in state


@parity(exact=True)
def test_a_callable_scale_function_is_saved(torch):
    def build(factor):
        optimizer = optimizer_of(torch, momentum=0.9)
        return torch.optim.lr_scheduler.CyclicLR(optimizer, 0.1, 0.2, 3, scale_fn=Halving(factor), scale_mode="iterations")

    scheduler, other = build(0.5), build(0.9)
    state = scheduler.state_dict()
    other.load_state_dict(copy.deepcopy(state))
    other.step()
    return state["_scale_fn_custom"], other.get_last_lr()


@pytest.mark.filterwarnings("ignore:Detected call")
@pytest.mark.parametrize("name", [n for n in SCHEDULES if "Lambda" not in n and "Multiplicative" not in n and "scale_fn" not in n])
def test_a_schedule_goes_through_pickle(name):
    optimizer = optimizer_of(flambeau, momentum=0.9)
    scheduler = SCHEDULES[name](Schedulers(flambeau), optimizer)
    rates(optimizer, scheduler, 3)
    other = pickle.loads(pickle.dumps(scheduler))
    assert type(other) is type(scheduler)
    assert plain({k: v for k, v in other.state_dict().items() if k != "_schedulers"}) == plain(
        {k: v for k, v in scheduler.state_dict().items() if k != "_schedulers"}
    )


@parity
def test_a_users_schedule(torch):
    class Warmup(torch.optim.lr_scheduler._LRScheduler):
        def __init__(self, optimizer, length):
            self.length = length
            super().__init__(optimizer)

        def get_lr(self):
            return [base * min(1.0, (self.last_epoch + 1) / self.length) for base in self.base_lrs]

    optimizer = optimizer_of(torch)
    scheduler = Warmup(optimizer, 4)
    return rates(optimizer, scheduler, 6), sorted(scheduler.state_dict())
