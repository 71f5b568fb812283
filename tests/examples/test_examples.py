"""Every example runs, with tiny settings, and learns."""

import re

import pytest

import flambeau
from harness import ROOT, run_python

EXAMPLES = ROOT / "examples"
NUMBER = r"(\d+\.\d+)"


def run(name, *arguments):
    """What the example prints."""
    return run_python(EXAMPLES / f"{name}.py", *arguments).stdout


def losses(printed):
    """The losses of lines such as `epoch  3: loss 0.1234, ...`, in order."""
    return [float(loss) for loss in re.findall(rf"^(?:epoch|step) +\d+: loss {NUMBER}", printed, re.MULTILINE)]


@pytest.fixture
def block(tmp_path_factory, monkeypatch):
    """A function that makes importing a module fail, in the programs run afterwards, as if it were not installed."""

    def blocked(module):
        folder = tmp_path_factory.mktemp("blocked")
        (folder / f"{module}.py").write_text(f'raise ModuleNotFoundError("No module named {module!r}", name="{module}")\n')
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return blocked


def test_linear_regression_finds_the_minimum():
    printed = run("linear_regression", "--epochs", 5)
    found = losses(printed)
    assert len(found) == 5 and found[-1] < 0.02 < 1 < found[0]
    weights = [[float(v) for v in re.findall(r"-?\d+\.\d+", line)] for line in re.findall(r"^(?:found|true): .*", printed, re.MULTILINE)]
    assert len(weights[0]) == 6 and weights[0] == pytest.approx(weights[1], abs=0.03)


def test_digits_are_told_apart():
    pytest.importorskip("sklearn")
    printed = run("digits", "--epochs", 5)
    found = losses(printed)
    assert len(found) == 5 and found == sorted(found, reverse=True)
    assert float(re.findall(rf"test set {NUMBER}%", printed)[-1]) > 85
    table = printed[printed.index("tensor(") :]
    assert sum(map(int, re.findall(r"\d+", table))) == 360


def test_digits_say_that_scikit_learn_is_missing(block):
    block("sklearn")
    done = run_python(EXAMPLES / "digits.py", check=False)
    assert done.returncode == 1 and "pip install scikit-learn" in done.stderr and "Traceback" not in done.stderr


def test_the_lstm_learns_brackets():
    printed = run("lstm_classifier", "--samples", 1000, "--length", 10, "--hidden", 32, "--epochs", 4)
    found = losses(printed)
    assert len(found) == 4 and found[-1] < 0.8 * found[0]
    assert printed.count("balanced with probability") == 5


def test_the_character_transformer_learns():
    printed = run("char_transformer", "--steps", 40, "--width", 32, "--layers", 1, "--context", 32, "--sample", 20)
    found = losses(printed)
    assert len(found) == 10 and found[-1] < found[0] - 0.5


# --- train_gpt -----------------------------------------------------------------------------------------------------

TINY = ["--layers", 1, "--width", 32, "--heads", 2, "--context", 32, "--batch", 8, "--max-bytes", 400_000, "--eval-sequences", 8]
TINY += ["--sample-bytes", 50, "--eval-every", 40, "--rate", 1e-2]
STEPS = 120


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A whole run: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("gpt")
    return folder, run("train_gpt", *TINY, "--steps", STEPS, "--out", folder)


def results(printed):
    """The validation loss and the loss of byte frequencies that a run prints."""
    return [float(re.search(rf"^{start}.*: +{NUMBER} nats", printed, re.MULTILINE)[1]) for start in ("validation loss", "loss of byte")]


def test_the_gpt_learns_more_than_byte_frequencies(trained):
    folder, printed = trained
    validation, baseline = results(printed)
    assert validation < baseline - 0.1
    assert len((folder / "sample.txt").read_bytes()) == len("def ") + 50
    assert (folder / "loss.png").exists() or "matplotlib is not installed" in printed


def test_its_checkpoint_is_read_with_weights_only(trained):
    state = flambeau.load(trained[0] / "checkpoint.pt", weights_only=True)
    assert state["step"] == len(state["losses"]) == STEPS and state["shape"]["width"] == 32
    assert state["losses"][-1] < state["losses"][0] - 1
    assert [p.name for p in trained[0].iterdir() if p.suffix == ".new"] == []


def test_a_resumed_run_comes_to_the_same_numbers(trained, tmp_path):
    stop = "if step == 85: raise SystemExit"  # the schedule depends on --steps: the first run is stopped on its way
    source = (EXAMPLES / "train_gpt.py").read_text().replace("    step += 1\n", f"    step += 1\n    {stop}\n")
    (tmp_path / "train_gpt.py").write_text(source)
    arguments = [*TINY, "--steps", STEPS, "--out", tmp_path / "out"]
    run_python(tmp_path / "train_gpt.py", *arguments)
    assert flambeau.load(tmp_path / "out" / "checkpoint.pt")["step"] == 80
    printed = run("train_gpt", *arguments, "--resume")
    assert "at step 80" in printed
    assert results(printed) == results(trained[1])
    first, second = (flambeau.load(folder / "checkpoint.pt") for folder in (trained[0], tmp_path / "out"))
    assert second["losses"] == first["losses"]
    assert all(flambeau.equal(first["model"][name], second["model"][name]) for name in first["model"])
    assert (tmp_path / "out" / "sample.txt").read_bytes() == (trained[0] / "sample.txt").read_bytes()


def test_nothing_is_left_to_train_and_a_sample_can_still_be_drawn(trained):
    printed = run("train_gpt", *TINY, "--steps", STEPS, "--out", trained[0], "--resume", "--prompt", "import ")
    assert "nothing left to train" in printed and results(printed) == results(trained[1])
    assert (trained[0] / "sample.txt").read_text(errors="replace").startswith("import ")


def test_a_checkpoint_of_another_shape_is_refused(trained):
    done = run_python(EXAMPLES / "train_gpt.py", *TINY, "--width", 16, "--out", trained[0], "--resume", check=False)
    assert done.returncode == 2 and "another shape" in done.stderr


def test_it_trains_on_a_file_and_on_a_folder_and_ends_in_time(tmp_path):
    for i in range(30):
        (tmp_path / f"{i}.txt").write_text(f"the quick brown fox number {i} jumps over the lazy dog\n" * 20)
    for arguments in ([tmp_path / "7.txt", "--steps", STEPS], [tmp_path, "--steps", 100_000, "--minutes", 0.06]):
        printed = run("train_gpt", *TINY, "--out", tmp_path / "out", "--data", *arguments)
        assert results(printed)[0] < results(printed)[1]
    assert int(re.search(r"loss after (\d+) steps", printed)[1]) < 100_000


def test_too_little_text_is_refused(tmp_path):
    (tmp_path / "short.txt").write_text("too short")
    done = run_python(EXAMPLES / "train_gpt.py", *TINY, "--data", tmp_path / "short.txt", check=False)
    assert done.returncode == 2 and "too little text" in done.stderr


def test_the_curve_needs_matplotlib_and_says_so(tmp_path, block):
    block("matplotlib")
    printed = run("train_gpt", *TINY, "--steps", 20, "--out", tmp_path / "out")
    assert "matplotlib is not installed" in printed and not (tmp_path / "out" / "loss.png").exists()


def test_it_runs_as_a_script_of_pytorch(tmp_path):
    printed = run_python(
        "-m", "flambeau", "run", EXAMPLES / "train_gpt.py", *TINY, "--steps", 20, "--backend", "torch", "--out", tmp_path
    ).stdout
    assert "parameters; torch" in printed and len(results(printed)) == 2
