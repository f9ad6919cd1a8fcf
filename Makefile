# One command sets up, one checks, one tests. Everything lives in .venv and .tools inside the checkout.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SHELL_SCRIPTS := .ci/run scripts/fetch_restic scripts/lock scripts/system_packages $(wildcard examples/*/*.sh)
PYTEST := $(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-deep check lint types rules format bench lock i18n changelog clean

help: ## show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null || sed -n 's/^\([a-z0-9-]*\):.*## /\1: /p' Makefile

setup: $(STAMP) ## make .venv with everything pinned in requirements/dev.lock

$(STAMP): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "install Python's venv module first (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@test -x $(BIN)/pip || { rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## back up a real tree, destroy it, restore it, prove it equal
	@$(BIN)/python scripts/demo.py

test: $(STAMP) ## every test but the deep suites
	@scripts/system_packages
	$(PYTEST) $(ARGS)

test-deep: $(STAMP) ## the long suites too: 10,000 crash points, wide fuzzing
	@scripts/system_packages
	HYPOTHESIS_PROFILE=deep $(PYTEST) -m '' $(ARGS)

check: lint types rules ## formatting, lint, types, layers, documentation, scripts

lint: $(STAMP) ## the part of check about form: ruff, shell scripts, translations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@for script in $(SHELL_SCRIPTS); do bash -n $$script || exit 1; done
	@if command -v shellcheck >/dev/null; then shellcheck $(SHELL_SCRIPTS); fi
	@if [ -e scripts/catalog.py ]; then $(BIN)/python scripts/catalog.py --check; fi

types: $(STAMP) ## the part of check about types: mypy and pyright, both strict
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

rules: $(STAMP) ## the part of check about layers, house rules and documentation
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -q tests/architecture tests/docs

format: $(STAMP) ## rewrite the code in the one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP) ## measure beside restic and print the table of ratios
	@scripts/fetch_restic
	$(BIN)/python -m benchmarks $(ARGS)
	$(BIN)/python -m benchmarks application

lock: $(STAMP) ## resolve pyproject.toml into requirements/*.lock (UPGRADE=1 takes newer versions)
	UV=$(BIN)/uv scripts/lock $(if $(UPGRADE),--upgrade)

i18n: $(STAMP) ## collect messages and compile the translations
	$(BIN)/python scripts/catalog.py

changelog: $(STAMP) ## show what changes.d/ would add to CHANGELOG.md
	$(BIN)/towncrier build --draft

clean: ## remove the virtual environment, caches and build products
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
	find src tests scripts benchmarks -name __pycache__ -type d -exec rm -rf {} +
