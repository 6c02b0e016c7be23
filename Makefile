# One set of words for people and CI: setup, demo, test, check, bench. Every target is idempotent and quick the second time.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
ARGS   ?=

.PHONY: setup demo test check fmt bench clean

setup: $(VENV)/.installed
	@$(BIN)/watchpost setup

demo: setup
	@$(BIN)/watchpost demo $(ARGS)

test: $(VENV)/.installed-dev
	@$(BIN)/watchpost setup
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed-dev
	$(BIN)/watchpost bench accuracy $(ARGS)

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis var

$(VENV)/bin/python:
	@echo "== making $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Watchpost needs Python 3.11 or newer, this is " + sys.version.split()[0] + ". Set PYTHON=python3.x.")'
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: on Debian, apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "== installing Watchpost (about 150 MB the first time)"
	@$(PIP) install --progress-bar on -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/.installed
	@echo "== installing the tools of development and the peers of the benchmarks"
	@$(PIP) install --progress-bar on -e '.[dev,bench]'
	@touch $@
