"""torch.profiler: what is recorded, and what is made of it."""

import gzip
import json
import re

import pytest

import flambeau
from flambeau.ops.modes import modes, stacks
from harness import Row, parity, rows


def train(torch, **options):
    """A small step under the profiler."""
    nn = torch.nn
    model = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with torch.profiler.profile(**options) as prof:
        with torch.profiler.record_function("forward"):
            y = model(torch.ones(4, 10))
        y.sum().backward()
        optimizer.step()
        y[0], y[:, 1:], y[torch.tensor([0, 1])]
    return prof


@pytest.mark.parametrize("options", [{}, {"record_shapes": True}, {"profile_memory": True}])
@parity
def test_the_columns_of_the_table(torch, options):
    prof = train(torch, **options)
    table = prof.key_averages(group_by_input_shape="record_shapes" in options).table(sort_by="cpu_time_total", row_limit=3)
    lines = table.splitlines()
    widths = [len(w) for w in lines[0].split("  ") if w][1:7]
    return re.split(r"\s{2,}", lines[1].strip()), widths, lines[0] == lines[2], len(lines), lines[-1].split(":")[0]


@parity
def test_operators_are_counted(torch):
    prof = train(torch, record_shapes=True)
    averages = {event.key: event for event in prof.key_averages()}
    names = ["forward", "aten::linear", "aten::relu", "AddmmBackward0", "ReluBackward0", "Optimizer.step#SGD.step", "SumBackward0",
             "autograd::engine::evaluate_function: AddmmBackward0", "aten::index"]  # fmt: skip
    shapes = [event.input_shapes[:2] for event in prof.events() if event.name == "aten::linear"]
    return {name: averages[name].count for name in names}, shapes, averages["forward"].key


def test_times_and_memory_add_up():
    prof = train(flambeau, profile_memory=True)
    events = prof.events()
    assert all(0 <= event.self_cpu_time_total <= event.cpu_time_total for event in events)
    assert events.self_cpu_time_total == pytest.approx(sum(event.cpu_time_total for event in events if event.cpu_parent is None))
    linear = [event for event in events if event.name == "aten::linear"]
    assert [event.cpu_memory_usage for event in linear] == [4 * 20 * 4, 4 * 2 * 4]
    assert all(event.cpu_parent.name == "forward" for event in linear)
    assert next(event for event in events if event.name == "aten::slice").cpu_memory_usage == 0  # a view


def test_composites_show_what_they_call():
    q, project, out = flambeau.ones(2, 3, 4), flambeau.ones(12, 4), flambeau.ones(4, 4)
    with flambeau.profiler.profile() as prof:
        flambeau.nn.functional.multi_head_attention_forward(
            q, q, q, 4, 2, project, None, None, None, False, 0.0, out, None, need_weights=False
        )
    outer = prof.events()[0]
    assert outer.name == "aten::multi_head_attention_forward" and len(outer.cpu_children) > 3
    assert "aten::linear" in {event.name for event in prof.events()}


def test_nothing_is_left_behind():
    before = modes.active, list(stacks.function_modes), list(stacks.node_hooks)
    with pytest.raises(ZeroDivisionError), flambeau.profiler.profile() as prof:
        with flambeau.profiler.record_function("a"):
            1 / 0
    assert (modes.active, stacks.function_modes, stacks.node_hooks) == before
    assert [event.name for event in prof.events()] == ["a"] and not flambeau.profiler.is_recording()
    x = flambeau.ones(2, requires_grad=True)
    with flambeau.profiler.profile() as prof:
        y = x * 2
    y.sum().backward()
    assert {event.name for event in prof.events()} == {"aten::mul"}


SCHEDULES = [
    "wait=1,warmup=1,active=2,repeat=2,skip_first=1",
    "wait=0,warmup=1,active=1",
    "wait=2,warmup=1,active=1,skip_first=1,skip_first_wait=1",
]

test_schedules = rows(
    *(Row(f"[torch.profiler.schedule({s})(i).name for i in range(14)]") for s in SCHEDULES),
    Row("torch.profiler.schedule(wait=0,warmup=0,active=1)(0).name", warns=True),
    Row("torch.profiler.schedule(wait=-1,warmup=1,active=2)"),
    Row("torch.profiler.schedule(wait=1,warmup=1,active=0)"),
    Row("torch.profiler.schedule(wait=1,warmup=1,active=1)(-1)"),
)


@parity
def test_steps(torch):
    seen = []

    def ready(prof):
        counts = {event.key: event.count for event in prof.key_averages()}
        seen.append((prof.step_num, counts["aten::add"], counts.get("ProfilerStep*")))

    schedule = torch.profiler.schedule(wait=1, warmup=1, active=2, repeat=1)
    with torch.profiler.profile(schedule=schedule, on_trace_ready=ready) as prof:
        for _ in range(6):
            torch.ones(2) + 1
            prof.step()
    with torch.profiler.profile(on_trace_ready=ready):
        torch.ones(2) + 1
    return seen


test_errors_and_names = rows(
    *(Row(f"torch.profiler.{e}") for e in "profile().key_averages() profile().events() profile(activities=[])".split()),
    Row("A = torch.profiler.ProfilerActivity\nrepr(A.CPU), str(A.CUDA), repr(torch.profiler.supported_activities())"),
    Row("str(torch.profiler.ProfilerAction.RECORD_AND_SAVE), torch.profiler.ProfilerAction.WARMUP.value"),
    Row("repr(torch.autograd.profiler.profile()), str(torch.autograd.profiler.profile())"),
    Row("torch.autograd.profiler.emit_nvtx().__enter__()"),
    Row("with torch.autograd.profiler.emit_nvtx(enabled=False) as p:\n    r = p\nr"),
    Row("with torch.autograd.profiler.profile(enabled=False) as p:\n    r = p\nr"),
)


def test_one_profiler_at_a_time():
    with flambeau.autograd.profiler.profile() as prof:
        with pytest.raises(RuntimeError, match="Profiler is already enabled on this thread"), flambeau.profiler.profile():
            pass
        with pytest.raises(RuntimeError, match="Profiler context manager is not reentrant"):
            prof.__enter__()
        flambeau.ones(2) + 1
    assert [event.name for event in prof.function_events] == ["aten::ones", "aten::add"]
    assert prof.total_average().count == 2 and str(prof).startswith("---") and prof.self_cpu_time_total > 0


def test_the_legacy_table():
    with flambeau.autograd.profiler.profile(with_stack=True, with_flops=True) as prof:
        flambeau.ones(200, 300) @ flambeau.ones(300, 400)
    table = prof.key_averages(group_by_stack_n=2).table(sort_by="flops", header="HEAD", top_level_events_only=True)
    assert table.splitlines()[1] == "HEAD" and "This report only display top-level ops statistics" in table
    assert "Total MFLOPs" in table and f"{2 * 200 * 300 * 400 / 1e6:8.3f}" in table and "test_profiler.py(" in table


def test_files(tmp_path):
    prof = train(flambeau, record_shapes=True, with_stack=True)
    prof.add_metadata("note", "hello")
    prof.export_chrome_trace(str(tmp_path / "trace.json"))
    trace = json.loads((tmp_path / "trace.json").read_text())
    events = {event["name"]: event for event in trace["traceEvents"]}
    assert trace["note"] == "hello" and events["forward"]["cat"] == "user_annotation" and events["aten::linear"]["cat"] == "cpu_op"
    inner, outer = events["aten::relu"], events["forward"]
    assert outer["ts"] <= inner["ts"] and inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"]
    prof.export_chrome_trace(str(tmp_path / "trace.json.gz"))
    with gzip.open(tmp_path / "trace.json.gz", "rt") as file:
        assert len(json.load(file)["traceEvents"]) == len(trace["traceEvents"])
    prof.export_stacks(str(tmp_path / "stacks.txt"), "self_cpu_time_total")
    line = (tmp_path / "stacks.txt").read_text().splitlines()[0]
    assert re.fullmatch(r"\S+ \d+", line) and "train" in line
    with pytest.raises(ValueError, match="metric should be one of"):
        prof.export_stacks(str(tmp_path / "stacks.txt"), "bogus")
    flambeau.profiler.tensorboard_trace_handler(str(tmp_path / "logs"), "worker")(prof)
    (written,) = (tmp_path / "logs").iterdir()
    assert re.fullmatch(r"worker\.\d+\.pt\.trace\.json", written.name)


def test_record_function_decorates():
    @flambeau.autograd.profiler.record_function("named")
    def double(x):
        return x * 2

    assert double(flambeau.ones(1)).item() == 2  # without a profiler
    with flambeau.profiler.profile() as prof:
        double(flambeau.ones(1))
    assert [event.name for event in prof.events()] == ["aten::ones", "named", "aten::mul"]
