"""`python tools/try_distributions.py dist build/wheel`: tries the wheel and the sdist in `dist`.

Each is installed into a clean virtual environment, in the folder `build/wheel`, and trains a little there.
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

PROGRAM = """
import pathlib, sys, tempfile
import flambeau as torch
assert "site-packages" in torch.__file__, torch.__file__
assert (pathlib.Path(torch.__file__).parent / "py.typed").exists()
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
x = torch.rand(64, 2)
y = (x[:, :1] > x[:, 1:]).float()
losses = []
for _ in range(50):
    optimizer.zero_grad()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x), y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert losses[-1] < 0.5 * losses[0], losses
path = pathlib.Path(tempfile.mkdtemp()) / "model.pt"
torch.save(model.state_dict(), path)
model.load_state_dict(torch.load(path))
assert not hasattr(torch, "no_such_name")
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
"""


def main(dist: Path, folder: Path) -> None:
    found = sorted(dist.iterdir())
    assert [path.name.endswith("-py3-none-any.whl") for path in found].count(True) == 1, found
    assert [path.name.endswith(".tar.gz") for path in found].count(True) == 1, found
    for path in found:
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        bin = (folder / ("Scripts" if sys.platform == "win32" else "bin")).resolve()
        run(bin / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", path.resolve())
        run(bin / "python", "-I", "-c", PROGRAM)
        run(bin / "flambeau", "--version")
        script = folder.resolve() / "script.py"
        script.write_text("import torch\nprint(torch.ones(2) + 1)\n")
        run(bin / "flambeau", "run", script)
        print(f"{path.name}: installed and tried")


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
