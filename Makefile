# `make run` and `make test` need Python 3.11 or newer, make and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run install test lint test-interop test-faults bench bench-scim bench-cutoff bench-delivery bench-load clean

run: install
	$(BIN)/ostiary demo --dir demo-data --port 8000

install: $(VENV)/.installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Ostiary needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-build-isolation --no-deps --editable .
	touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	touch $@

$(VENV)/.installed-interop: requirements-interop.lock $(VENV)/.installed-dev
	$(BIN)/pip install --quiet --require-hashes -r requirements-interop.lock
	touch $@

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest --numprocesses auto --dist loadfile --cov --cov-report=term:skip-covered -m "not interop and not faults"

test-interop: $(VENV)/.installed-interop
	bash tests/interop/prepare.sh
	$(BIN)/pytest -m interop

test-faults: $(VENV)/.installed-dev
	$(BIN)/pytest -m faults --timeout 3600

bench: $(VENV)/.installed-interop
	$(BIN)/python -m bench

bench-scim: $(VENV)/.installed-interop
	$(BIN)/python -m bench scim groups --sizes 1000 100000 1000000

bench-cutoff: $(VENV)/.installed-dev
	$(BIN)/python -m bench.cutoff

bench-delivery: $(VENV)/.installed-dev
	$(BIN)/python -m bench.delivery

bench-load: $(VENV)/.installed-dev
	$(BIN)/python -m bench.load --people $(or $(PEOPLE),100000)

clean:
	rm -rf $(VENV) demo-data .coverage .mypy_cache .ruff_cache .pytest_cache
