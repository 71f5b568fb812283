"""The pages under docs/: their programs run and print what the pages show, under flambeau and under PyTorch."""

import importlib.util
import re
import sys
import warnings

import pytest

from flambeau.kernels.compiler import usable
from harness import LIVE, ROOT, real_torch, run_python

spec = importlib.util.spec_from_file_location("pages", ROOT / "tools" / "pages.py")
pages = sys.modules["pages"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pages)

PAGES = {path.relative_to(ROOT / "docs").with_suffix("").as_posix(): pages.Page.read(path) for path in pages.pages()}


def check(page, backend):
    """Runs a page's program; each block must print what the page shows below it."""
    wrong = []
    for (block, output), printed in zip(page.programs, page.printed(backend)):
        shown = output.text if output else ""
        if (output is None or output.compared) and not pages.same(printed, shown):
            wrong.append(f"line {block.start + 1} prints\n{printed}\nand the page shows\n{shown}")
    assert not wrong, f"{page.path.name} under {backend} (python tools/pages.py writes it anew):\n" + "\n\n".join(wrong)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_what_its_program_prints(name):
    if PAGES[name].run == "llvmlite":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of llvmlite missing
            if not usable():
                pytest.skip("the page shows the compiler, which needs llvmlite")
    check(PAGES[name], "flambeau")


@pytest.mark.skipif(not LIVE, reason="make test-live runs the pages under PyTorch")
@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if not page.run])
def test_a_page_is_true_of_pytorch(name):
    if real_torch() is None:
        pytest.fail("PyTorch is not installed", pytrace=False)
    check(PAGES[name], "torch")


def test_every_python_block_runs():
    """None hides in a list or in a tab, where it would not be found."""
    for path in (ROOT / "docs").rglob("*.md"):
        assert not re.findall(r"^[ \t]+```python|^```py(?!thon\b)", path.read_text(), re.MULTILINE), path
        assert path.read_text().isascii(), path


@pytest.mark.parametrize("tool, page", [("missing_names", "missing-names"), ("api_overview", "api"), ("refusals", "refusals")])
def test_a_page_of_names_is_not_stale(tool, page):
    """In a process of its own: the tests of others may have attached things here."""
    source = f"import sys; sys.path.insert(0, {str(ROOT / 'tools')!r}); import {tool}; sys.stdout.write({tool}.page())"
    written = run_python("-c", source).stdout
    assert (ROOT / "docs" / f"{page}.md").read_text() == written, "run make reference"


def test_every_environment_variable_is_named():
    """On the page for beginners, in the source and in the tests."""
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    read = {name for path in files for name in re.findall(r"environ[^\n]*?[\"'](FLAMBEAU_\w+)", path.read_text())}
    assert len(read) > 4
    page = (ROOT / "docs" / "getting-started.md").read_text()
    assert not [name for name in read if f"`{name}" not in page]


def test_what_counts_as_the_same_output():
    assert pages.same("loss 0.12345, step 3", "loss  0.12349, step 3")
    assert not pages.same("step 3", "step 4")
    assert not pages.same("loss 0.1234", "loss 0.1254")
    assert not pages.same("a 1", "b 1")
    assert pages.same("tensor([nan, 1.])", "tensor([nan, 1.0001])")
