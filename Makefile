# `make test`, `make demo` and the others make the virtual environments that they need below build/.

PYTHON ?= python3
VENV := build/venv
TORCH_VENV := build/venv-torch
RUN := $(VENV)/bin/python
# The matrices here are small: threads of the BLAS gain little, and where anything else runs they wait for each other.
export OMP_NUM_THREADS ?= 1
PYTEST_ARGS ?= -q -n auto --dist loadgroup

.PHONY: help stubs reference pages figures docs test test-numpy test-live expectations lint format types wheel demo bench clean
.PHONY: environment docs-environment torch-environment

help:
	@echo "make test          the tests (needs no PyTorch)"
	@echo "make test-numpy    the tests without llvmlite"
	@echo "make test-live     the tests against the installed PyTorch 2.13.0"
	@echo "make expectations  rewrite the stored answers of PyTorch (installs torch 2.13.0)"
	@echo "make lint, format, types"
	@echo "make stubs         rewrite the type stubs of what the operators' definitions attach"
	@echo "make docs          the site, in build/site (installs MkDocs)"
	@echo "make pages         run the programs of the site's pages and write what they print"
	@echo "make reference     rewrite the pages of names: what there is, what is missing"
	@echo "make figures       draw the site's figures anew"
	@echo "make wheel         wheel and sdist in dist/, each installed and tried in a clean environment"
	@echo "make demo          train a small GPT on the sources of Python's standard library"
	@echo "make bench         flambeau's own benchmarks"

environment:
	@$(PYTHON) tools/environment.py $(VENV) --extra dev

docs-environment:
	@$(PYTHON) tools/environment.py $(VENV) --extra dev --add docs

torch-environment:
	@$(PYTHON) tools/environment.py $(TORCH_VENV) --extra test --requirement torch==2.13.0

test: environment
	$(RUN) -m pytest $(PYTEST_ARGS) tests

test-numpy: environment
	PYTHONPATH=$(CURDIR)/tests/blockers/llvmlite $(RUN) -m pytest $(PYTEST_ARGS) tests

test-live: torch-environment
	FLAMBEAU_LIVE=1 $(TORCH_VENV)/bin/python -m pytest $(PYTEST_ARGS) tests

expectations: torch-environment
	FLAMBEAU_WRITE_EXPECTATIONS=1 $(TORCH_VENV)/bin/python -m pytest -q -p no:xdist tests

lint: environment
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

format: environment
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

types: environment
	$(RUN) -m mypy

stubs: environment
	$(RUN) tools/index.py
	$(RUN) tools/stubs.py

reference: environment
	$(RUN) tools/missing_names.py
	$(RUN) tools/api_overview.py
	$(RUN) tools/refusals.py

pages: environment
	$(RUN) tools/pages.py

figures: environment
	$(RUN) tools/figures.py

docs: docs-environment
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict --quiet

wheel: environment
	rm -rf dist build/wheel
	$(RUN) -m build --outdir dist .
	$(PYTHON) tools/try_distributions.py dist build/wheel

demo:
	@$(PYTHON) tools/environment.py build/venv-demo --extra plot
	build/venv-demo/bin/python examples/train_gpt.py

bench: environment
	$(RUN) benchmarks/bench.py

clean:
	rm -rf build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis src/*.egg-info
