# From a bare clone with Python 3.10 or later: `make demo`, `make test`.
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11 python3.10,$(shell \
	$(name) -c 'import sys; sys.version_info >= (3, 10) and print("$(name)")' 2>/dev/null)))
VENV ?= .venv
RUN := $(VENV)/bin/python -m
# The versions and hashes that are installed; `make … LOCK=` takes the newest that are allowed.
LOCK ?= constraints.txt
unexport PYTHONDONTWRITEBYTECODE  # Meltano and the tap start three times as fast with bytecode kept

.PHONY: help demo test test-slow test-all test-floors test-dependent lint format bench build lock clean

help:  ## Show this list
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed-demo  ## Read a little Qonto on localhost into DuckDB, with real Meltano
	@$(RUN) demo.show

test: $(VENV)/installed-test  ## Run the quick tests
	$(RUN) pytest -n auto $(ARGS)

test-slow: $(VENV)/installed-all  ## Run the slow tests: real Meltano, Postgres, Node, a browser
	$(RUN) pytest -n auto --dist loadgroup -m slow $(ARGS)

test-all: test test-slow  ## Run every test

# Those quick tests that meet the dependencies: all of them would take twice as long.
DEPENDENT := tests/session/test_tokens.py tests/session/test_renewal.py tests/session/test_ways.py \
	tests/session/test_places.py tests/session/test_cli_session.py tests/session/test_cli_login.py \
	tests/test_transport.py tests/test_retries.py tests/test_refusals.py tests/test_settings.py \
	tests/test_inputs.py tests/test_masks.py tests/files/test_store.py
# Python 3.10 by preference: the lowest versions of some have no wheels for the newest Python.
FLOORS_PYTHON ?= $(firstword $(foreach name,python3.10 python3.11 python3.12,$(shell \
	$(name) -c 'print("$(name)")' 2>/dev/null)) $(VENV)/bin/python)

test-floors: $(VENV)/installed-all  ## Run quick tests on the lowest versions that pyproject.toml allows
	$(RUN) uv venv --quiet --clear --python $(FLOORS_PYTHON) $(VENV)-floors
	$(RUN) uv pip install --quiet --python $(VENV)-floors --resolution lowest-direct \
		--editable '.[postgres,files]' --group test
	$(VENV)-floors/bin/python -m pytest -n auto $(ARGS) $(DEPENDENT)

test-dependent: $(VENV)/installed-test  ## Run the quick tests that meet the dependencies
	$(RUN) pytest -n auto $(ARGS) $(DEPENDENT)

lint: $(VENV)/installed-all  ## Check style, format and types
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy

format: $(VENV)/installed-all  ## Repair style and format
	$(RUN) ruff check --fix
	$(RUN) ruff format

bench: $(VENV)/installed-all  ## Measure against the plain SDK and the limit
	$(RUN) benchmarks

build: $(VENV)/installed-all  ## Build the wheel and the source archive, and check them
	rm -rf dist
	$(RUN) build --quiet
	$(RUN) twine check --strict dist/*

lock: $(VENV)/uv  ## Renew constraints.txt: the versions and hashes that all of this installs
	@$(RUN) uv --quiet pip compile --upgrade --universal --python-version 3.10 --generate-hashes \
		--no-annotate --no-emit-index-url --custom-compile-command 'make lock' --all-extras \
		$(foreach group,test meltano dbt lint build docs lock,--group $(group)) \
		pyproject.toml --output-file constraints.txt >/dev/null

clean:  ## Remove all that the other targets made
	rm -rf $(VENV) $(VENV)-floors .demo .meltano dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# --- environments: each group of pyproject.toml on top of the tap itself

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.10 or later is needed: install it, or name it with make PYTHON=…" >&2; exit 1; }
	@echo "▶  Installing into $(VENV) (once) …"
	@$(PYTHON) -m venv $(VENV)

# Installs the rest in a sixth of pip's time, and checks the hashes of constraints.txt.
$(VENV)/uv: constraints.txt | $(VENV)/bin/python
	@$(RUN) pip --version >/dev/null 2>&1 || $(RUN) ensurepip >/dev/null
	@sed -n '/^uv==/,/[^\\]$$/p' constraints.txt >$@.txt
	@$(RUN) pip install -qq --disable-pip-version-check --requirement $@.txt && touch $@

INSTALL = $(RUN) uv pip install --quiet --python $(VENV)/bin/python --editable . \
	$(if $(LOCK),--constraint $(LOCK))

$(VENV)/installed-demo: pyproject.toml constraints.txt | $(VENV)/uv
	@$(INSTALL) --group demo --group meltano && touch $@

$(VENV)/installed-test: pyproject.toml constraints.txt | $(VENV)/uv
	@$(INSTALL) --group test && touch $@

$(VENV)/installed-all: pyproject.toml constraints.txt | $(VENV)/uv
	@$(INSTALL) --group test --group meltano --group dbt --group lint --group build && touch $@
