"""Anomaly detection: the forward line is named as PyTorch names it."""

import warnings

import pytest

import flambeau
from harness import Row, parity, rows

CASES = {
    "nan": """
x = torch.tensor([-1.0, 4.0], requires_grad=True)
y = torch.sqrt(x)
z = y.sum()
z.backward()
""",
    "double": """
x = torch.tensor([0.0], requires_grad=True)
g, = torch.autograd.grad((x ** 1.5).sum(), x, create_graph=True)
(g * 0).sum().backward()
""",
    "function": """
class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    def backward(ctx, g):
        raise RuntimeError('broken')
x = torch.ones(2, requires_grad=True)
y = F.apply(x)
y.sum().backward()
""",
    "in place": """
x = torch.ones(2, requires_grad=True)
y = x.exp()
y.add_(1)
y.sum().backward()
""",
    "outside": """
x = torch.tensor([-1.0], requires_grad=True)
torch.autograd.set_detect_anomaly(False)
y = torch.sqrt(x)
torch.autograd.set_detect_anomaly(True)
y.backward()
""",
    "module": """
m = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
with torch.no_grad():
    m[0].weight.fill_(float('nan'))
m(torch.ones(1, 2)).sum().backward()
""",
    "no check": """
torch.autograd.set_detect_anomaly(True, check_nan=False)
x = torch.tensor([-1.0], requires_grad=True)
torch.sqrt(x).backward()
""",
}


@pytest.mark.parametrize("name", list(CASES))
@parity
def test_the_warning_names_the_forward_line(torch, name):
    source = CASES[name]
    found = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with torch.autograd.detect_anomaly():
                exec(compile(source, "program.py", "exec"), {"torch": torch, "__name__": "program"})
        except RuntimeError as error:
            found.append(str(error))
        finally:
            torch.autograd.set_detect_anomaly(False)
    for w in caught:
        lines = str(w.message).splitlines()
        own = [line.strip() for line in lines if "program.py" in line]
        found.append((w.category.__name__, (lines[0] or lines[2]).partition(" (Triggered")[0], own[-1:]))
    return found


test_settings = rows(
    Row("torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()"),
    Row("with torch.autograd.detect_anomaly():\n    r = torch.is_anomaly_enabled()\nr, torch.is_anomaly_enabled()", warns=True),
    Row(
        "torch.set_anomaly_enabled(True, check_nan=False)\nr = torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()\n"
        "torch.set_anomaly_enabled(False)\nr, torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()"
    ),
    Row("with torch.autograd.set_detect_anomaly(True):\n    r = torch.is_anomaly_enabled()\nr, torch.is_anomaly_enabled()"),
    Row("torch.set_anomaly_enabled(1)"),
    Row("torch.set_anomaly_enabled(True, check_nan=1)"),
)


def test_the_traceback_is_readable():
    x = flambeau.tensor([-1.0], requires_grad=True)
    with pytest.warns(UserWarning) as caught, pytest.raises(RuntimeError, match="returned nan values in its 0th output"):
        with flambeau.autograd.detect_anomaly():
            flambeau.sqrt(x).backward()
    text = str(caught[-1].message)
    assert text.startswith("Error detected in SqrtBackward0. Traceback of forward call that caused the error:\n  File ")
    assert text.rstrip().splitlines()[-1].strip() == "flambeau.sqrt(x).backward()"
