# Two commands matter: `make demo` and `make test`. `make help` lists the rest.
# Stamps below .venv say what is installed and built, so that a second call starts in seconds.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Nothing here may meet an account: the simulated model plays, tests talk to loopback only.
STRIP := $(shell env | sed -n 's/^\(\(ANTHROPIC\|CLAUDE\|OPENAI\)_[A-Z0-9_]*\)=.*/-u \1/p')
# Bytecode is kept: what pytest makes of its modules serves its other worker, and the part that comes after.
CLEAN_ENV := env -u PYTHONDONTWRITEBYTECODE $(STRIP)

PANEL_SOURCES := $(shell find labextension -type f -not -path '*/node_modules/*' -not -path '*/.yarn/*' -not -path '*/lib/*' -not -name '*.tsbuildinfo' 2>/dev/null)

.PHONY: help demo test lint types bench screenshots nightly docs format clean setup-demo setup-test test-lint lint-python lint-panel test-panel test-python test-browser

help:
	@echo "make demo     JupyterLab on an example project; no key, no account"
	@echo "make test     every check and test, the browser included"
	@echo "make bench    speed and memory beside baselines, as a table"
	@echo "make nightly  the long form of soak, chaos and fuzz loops, and promised seconds (hours)"
	@echo "make screenshots the documentation's pictures, from the browser tests"
	@echo "make docs     the documentation as a site, in docs/_build/html"
	@echo "make format   format Python and TypeScript"
	@echo "make types    openapi.json and the TypeScript types, from the schema"
	@echo "make clean    remove what these commands made"

demo: setup-demo
	@$(CLEAN_ENV) $(BIN)/python scripts/demo.py $(DEMO_ARGS)

setup-demo:
	@$(PYTHON) scripts/prerequisites.py demo
	@$(MAKE) --no-print-directory $(VENV)/.panel

setup-test:
	@scripts/ensure_debian.sh
	@$(PYTHON) scripts/prerequisites.py test
	@$(MAKE) --no-print-directory $(VENV)/.test $(VENV)/.panel

$(VENV)/.created:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: pyproject.toml $(VENV)/.created
	@echo "Installing Python packages into $(VENV) (about a minute) ..."
	@scripts/install.sh $(VENV) demo
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.demo
	@echo "Installing test tools ..."
	@scripts/install.sh $(VENV) dev
	@touch $@

labextension/node_modules/.installed: labextension/package.json labextension/yarn.lock $(VENV)/.demo
	@echo "Installing front-end packages ..."
	@cd labextension && jlpm install --immutable > ../$(VENV)/jlpm.log 2>&1 || { tail -40 ../$(VENV)/jlpm.log; exit 1; }
	@touch $@

$(VENV)/.panel: labextension/node_modules/.installed $(PANEL_SOURCES)
	@echo "Building the panel ..."
	@cd labextension && jlpm build:prod > ../$(VENV)/build.log 2>&1 || { tail -40 ../$(VENV)/build.log; exit 1; }
	@jupyter-builder develop --overwrite . > $(VENV)/develop.log 2>&1 || { cat $(VENV)/develop.log; exit 1; }
	@touch $@

# What uses one core each runs side by side; the other parts use all there are by themselves.
test: setup-test
	@$(MAKE) --no-print-directory -j2 lint-python lint-panel test-panel
	@$(MAKE) --no-print-directory test-python test-browser

test-lint: lint-python lint-panel

lint-python:
	ruff check .
	ruff format --check .
	mypy
	lint-imports

lint-panel:
	cd labextension && jlpm lint

test-panel:
	cd labextension && jlpm test

# Three at a time on two cores: a good third of the time a test waits, for a process to start or a limit to come.
test-python:
	$(CLEAN_ENV) $(BIN)/python -m pytest -n 3 --dist loadfile -m "not browser and not nightly" --ignore=tests/browser

test-browser:
	$(CLEAN_ENV) $(BIN)/python -m pytest -n 2 --dist loadfile -m "browser and not nightly" tests/browser

screenshots: setup-test
	$(CLEAN_ENV) CLOUTAGENT_SCREENSHOTS=docs/images $(BIN)/python -m pytest -m browser -k "screenshots and not contrast"

$(VENV)/.fuzz: pyproject.toml $(VENV)/.test
	@scripts/install.sh $(VENV) fuzz || echo "Atheris has no wheel for this machine: its searches are skipped."
	@touch $@

nightly: setup-test $(VENV)/.fuzz
	@scripts/ensure_debian.sh nightly
	@$(CLEAN_ENV) $(BIN)/python scripts/nightly.py $(NIGHTLY_ARGS)

$(VENV)/.bench: pyproject.toml $(VENV)/.test
	@echo "Installing the frameworks to compare with ..."
	@scripts/install.sh $(VENV) bench
	@touch $@

bench: setup-test $(VENV)/.bench
	$(CLEAN_ENV) $(BIN)/python -m tests.benchmarks $(BENCH_ARGS)

types: $(VENV)/.demo labextension/node_modules/.installed
	$(BIN)/python -m cloutagent_ext.server.openapi
	$(BIN)/python scripts/reference.py
	cd labextension && jlpm generate:types

docs: $(VENV)/.test
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

format: setup-test
	ruff check --fix .
	ruff format .
	cd labextension && jlpm format

lint: setup-test test-lint

clean:
	rm -rf $(VENV) .demo docs/_build labextension/node_modules labextension/lib cloutagent_ext/labextension .mypy_cache .ruff_cache .pytest_cache .hypothesis
