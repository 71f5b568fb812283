"""torch.utils.benchmark: times that are known are measured as such; the printed forms are PyTorch's."""

import pytest

import flambeau
from flambeau.utils.benchmark import Compare, Measurement, TaskSpec, Timer
from harness import parity


class Clock:
    """A clock that a statement turns on."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


def test_times_per_run():
    clock = Clock()
    timer = Timer("wait(0.5)", setup="wait(9)", timer=clock, globals={"wait": clock.wait}, num_threads=1)
    found = timer.timeit(100)
    assert found.number_per_run == 100 and found.times == [0.5] and found.median == found.mean == 0.5
    found = timer.blocked_autorange(min_run_time=3)
    assert len(found.raw_times) * found.number_per_run * 0.5 >= 3 and found.iqr == 0 and not found.has_warnings
    found = timer.adaptive_autorange(max_run_time=100)
    assert len(found.raw_times) == 4


def test_threads_are_set_for_the_statement_alone():
    before, seen = flambeau.get_num_threads(), set()
    Timer("seen.add(torch.get_num_threads())", globals={"seen": seen}, num_threads=before + 1).timeit(2)
    assert seen == {before + 1} and flambeau.get_num_threads() == before


def test_torch_is_there_and_setup_runs():
    assert Timer("x + y", setup="x = torch.ones(3); y = torch.ones(3)").timeit(3).median > 0


def specs(torch):
    from importlib import import_module

    return import_module(torch.__name__ + ".utils.benchmark")


@parity
def test_printed_forms(torch):
    b = specs(torch)

    def measured(times, runs=10, **options):
        return b.Measurement(runs, times, b.TaskSpec(**{"stmt": "f(x)", "setup": "x = 3", **options}))

    measurements = [
        measured([1e-4]),
        measured([1e-4, 2e-4]),
        measured([1.0, 1.01, 1.02, 1.03, 1.5], label="label", sub_label="sub", description="what"),
        measured([1.0, 2.0, 3.0, 4.0, 5.0], setup="pass", num_threads=2),
        measured([1.0, 1.1, 1.2, 1.3, 1.4], stmt="f(x)\ng(x)", setup="x = 3\ny = 4"),
    ]
    texts = ["\n".join(repr(m).splitlines()[1:]) for m in measurements]
    rows = [
        measured([t * 1e-5, t * 1.1e-5, t * 1.2e-5, t * 1.05e-5], label="add", sub_label=name, description=column, num_threads=n)
        for t, name, column, n in ((3.0, "small", "a", 1), (30.0, "small", "b", 1), (7.0, "large", "a", 1), (3.0, "small", "a", 2))
    ]
    tables = []
    for change in (lambda c: None, lambda c: c.trim_significant_figures(), lambda c: c.colorize(), lambda c: c.highlight_warnings()):
        compare = b.Compare(rows)
        change(compare)
        tables.append(str(compare))
    return (
        texts,
        tables,
        [m.significant_figures for m in measurements],
        [m.has_warnings for m in measurements],
        [m.title for m in measurements],
    )


def test_merging_and_errors():
    task = TaskSpec("a", "pass")
    (merged,) = Measurement.merge([Measurement(2, [4.0], task), Measurement(1, [3.0], task)])
    assert merged.times == [2.0, 3.0] and merged.stmt == "a"
    with pytest.raises(ValueError, match=r"Currently only a `str` stmt is supported."):
        Timer(3)
    with pytest.raises(NotImplementedError, match="times Python only"):
        Timer("int x;", language="c++")
    with pytest.raises(ValueError, match=r"Expected an instance of `Measurement`"):
        Compare([3])
