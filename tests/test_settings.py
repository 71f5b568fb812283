"""Settings of the process."""

from harness import Row, parity, rows

test_settings = rows(
    Row("torch.set_num_threads(0)"),
    Row("torch.set_num_threads(1.5)"),
    Row("torch.set_num_interop_threads(0)"),
    Row("torch.set_num_interop_threads('a')"),
    Row("torch.are_deterministic_algorithms_enabled(), torch.get_deterministic_debug_mode()"),
    Row("torch.set_deterministic_debug_mode('x')"),
    Row("torch.set_deterministic_debug_mode(3)"),
    Row("torch.set_deterministic_debug_mode(1.5)"),
    Row("torch.use_deterministic_algorithms('x')"),
    Row("torch.get_float32_matmul_precision()"),
    Row("torch.set_flush_denormal(False)"),
    Row("torch.set_default_tensor_type('torch.IntTensor')"),
    Row("torch.set_default_tensor_type('torch.FooTensor')"),
    Row("torch.set_default_tensor_type(3)"),
    Row("torch.get_device_module('foo')"),
    Row("torch.typename(torch.ones(2)), torch.typename(3), torch.typename([]), torch.typename(torch.nn.Linear(1, 1))"),
    Row("torch.typename(torch.nn.functional.relu)"),
    Row("torch.is_storage(torch.ones(2).untyped_storage()), torch.is_storage(3), torch.is_tensor(torch.ones(1)), torch.is_tensor(3)"),
    Row("torch.pi, torch.e, torch.inf, torch.newaxis"),
    Row("f = torch.compile(lambda x: x + 1, disable=True); f(torch.ones(2))"),
)


@parity
def test_determinism(torch):
    story = []
    for mode in (0, 1, 2, "warn", "default"):
        torch.set_deterministic_debug_mode(mode)
        story.append((torch.get_deterministic_debug_mode(), torch.are_deterministic_algorithms_enabled(),
                      torch.is_deterministic_algorithms_warn_only_enabled()))  # fmt: skip
    return story


@parity
def test_default_device(torch):
    before = str(torch.get_default_device())
    torch.set_default_device("meta")
    try:
        made = str(torch.ones(2).device), str(torch.get_default_device()), str(torch.ones(2, device="cpu").device)
    finally:
        torch.set_default_device(None)
    return before, made, str(torch.ones(2).device)


@parity
def test_default_tensor_type(torch):
    torch.set_default_tensor_type(torch.DoubleTensor)
    made = torch.ones(2).dtype, torch.tensor(1.5).dtype
    torch.set_default_tensor_type("torch.FloatTensor")
    return made, torch.ones(2).dtype


@parity
def test_fork_rng(torch):
    torch.manual_seed(3)
    with torch.random.fork_rng():
        inside = torch.rand(2)
    return inside, torch.rand(2)
