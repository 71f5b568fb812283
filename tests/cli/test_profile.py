"""`flambeau profile`: the script runs as under `flambeau run`, and a table follows."""

import re

from harness import run_python

SCRIPT = """
import sys
import torch

layer = torch.nn.Linear(4, 3)
for _ in range(2):
    layer(torch.ones(5, 4)).relu().sum().backward()
print("arguments", sys.argv[1:])
sys.exit(3)
"""


def profiled(folder, *arguments):
    return run_python("-m", "flambeau", "profile", *arguments, check=False, cwd=folder)


def test_table_of_operators_and_gradients(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = profiled(tmp_path, "script.py", "--flag", "x")
    assert done.returncode == 3
    assert done.stdout.startswith("arguments ['--flag', 'x']\n")
    rows = dict(re.findall(r"^ *(\S+) .* (\d+) *$", done.stdout, re.MULTILINE))
    assert rows["aten::linear"] == rows["aten::relu"] == rows["AddmmBackward0"] == rows["ReluBackward0"] == "2"
    for column in ("Self CPU", "CPU total", "CPU time avg", "# of Calls"):
        assert column in done.stdout


def test_module_and_failure(tmp_path):
    (tmp_path / "part.py").write_text("import torch\ntorch.ones(2) + 1\nraise ValueError('no')\n")
    done = profiled(tmp_path, "-m", "part")
    assert done.returncode == 1 and "ValueError: no" in done.stderr and "aten::ones" in done.stdout


def test_usage(tmp_path):
    assert profiled(tmp_path).returncode == 2
