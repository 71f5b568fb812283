"""Files pass between flambeau and the installed PyTorch; `tools/exchange.py` does it for every layer."""

import re

import pytest

from harness import LIVE, ROOT, run_python

LAYERS = "^(Linear|Conv2d|BatchNorm2d|EmbeddingBag|LSTM.*|GRU|.*Attention.*|Transformer.*|Sequential|ParameterList|.*_norm|bfloat16)$"


@pytest.mark.skipif(not LIVE, reason="make test-live exchanges files with PyTorch")
def test_files_pass_both_ways():
    done = run_python(ROOT / "tools" / "exchange.py", "--verbose", "--only", LAYERS, check=False)
    assert re.search(r"^\d\d layers, \d+ exchanges, 0 fail$", done.stdout, re.MULTILINE), done.stdout + done.stderr
