"""`flambeau run` against what `python` itself does with the same script."""

import subprocess
import sys
import zipfile

import pytest

from flambeau.cli import main
from harness import run_python

SHOW = """
import sys
print(__name__, __file__, __spec__ and __spec__.name, __package__, __doc__, sorted(globals()))
print(sys.argv, sys.path[0])
"""


def plain(folder, *arguments):
    """`python arguments...` in the folder."""
    return subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def ours(folder, *arguments):
    """`python -m flambeau run arguments...` in the folder."""
    return run_python("-m", "flambeau", "run", *arguments, check=False, cwd=folder)


def same(folder, *arguments):
    """Both give the same output and exit status; returns it."""
    expected, given = plain(folder, *arguments), ours(folder, *arguments)
    assert (given.stdout, given.stderr, given.returncode) == (expected.stdout, expected.stderr, expected.returncode)
    return given


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "show.py").write_text(SHOW)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "__main__.py").write_text(SHOW)
    (tmp_path / "package" / "inner.py").write_text(SHOW)
    return tmp_path


def test_script_arguments_and_main(folder):
    assert same(folder, "show.py", "--flag", "-m", "x y").returncode == 0


def test_script_in_another_folder(folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "s.py").write_text("import helper\n" + SHOW)
    (folder / "deep" / "helper.py").write_text("")
    same(folder, "deep/s.py")


def test_script_by_a_symbolic_link(folder):
    (folder / "link").mkdir()
    (folder / "link" / "l.py").symlink_to(folder / "show.py")
    same(folder, "link/l.py")


def test_module_package_and_folder(folder):
    same(folder, "-m", "show", "a")
    same(folder, "-m", "package", "a")
    same(folder, "-m", "package.inner")
    same(folder, "package", "a")


def test_zip_file(folder):
    with zipfile.ZipFile(folder / "app.zip", "w") as archive:
        archive.writestr("__main__.py", "import sys; print(__name__, sys.argv, sys.path[0])")
    same(folder, "app.zip", "a")


@pytest.mark.parametrize("arguments", [["none.py"], ["-m", "none"], ["-m", "none.inner"], ["-m", "package.none"]])
def test_nothing_to_run(folder, arguments):
    assert same(folder, *arguments).returncode in (1, 2)


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    raise ValueError('no')\nf()",
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e",
        "import sys\nsys.exit(7)",
        "import sys\nsys.exit('a message')",
        "raise SystemExit",
        "x = (",
        "raise KeyboardInterrupt",
        "import sys\nsys.excepthook = lambda kind, error, traceback: print('mine', kind, traceback.tb_lineno)\n1 / 0",
        "import atexit\natexit.register(print, 'last')\n1 / 0",
        "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)",
        "# -*- coding: latin-1 -*-\nprint(ascii('\xe9'))",
        "import torc",
        "import warnings\nwarnings.warn('careful')",
    ],
)
def test_exits_and_tracebacks(folder, source):
    (folder / "script.py").write_bytes(source.encode("latin-1"))
    same(folder, "script.py")


def test_standard_input_reaches_the_script(folder):
    (folder / "script.py").write_text("print(input())")
    given = run_python("-m", "flambeau", "run", "script.py", cwd=folder, input="hello\n")
    assert given.stdout == "hello\n"


def test_the_script_sees_flambeau_as_torch(folder):
    (folder / "script.py").write_text("import torch, flambeau; print(torch is flambeau, torch.__version__)")
    assert ours(folder, "script.py").stdout == "True 2.13.0+cpu\n"
    assert ours(folder, "-m", "script").stdout == "True 2.13.0+cpu\n"


def test_instances_of_classes_in_main_pickle(folder):
    (folder / "script.py").write_text("import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))) is A)")
    assert same(folder, "script.py").stdout == "True\n"


def test_version_and_usage(capsys):
    assert run_python("-m", "flambeau", "--version").stdout == "flambeau 0.1.0 (PyTorch 2.13.0+cpu)\n"
    done = run_python("-m", "flambeau", "walk", check=False)
    assert done.returncode == 2 and done.stderr.startswith("usage: ") and not done.stdout
    for asked in ("--help", "-h", "help"):
        assert main([asked]) == 0 and capsys.readouterr().out.startswith("usage: flambeau run SCRIPT")
    for wrong in ([], ["run"], ["run", "-m"], ["profile", "-m"], ["cache"], ["walk"]):
        assert main(wrong) == 2 and capsys.readouterr().err.startswith("usage: ")
