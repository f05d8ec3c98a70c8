# Needs only make and a Python 3.11-3.13. Everything it installs goes into $(VENV), from your own package index, checked by hash.
SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
# What this Makefile is run with: the first suitable interpreter; `make PYTHON=/path/to/python3.12 …` goes before it.
FITS := import sys, venv, ensurepip; raise SystemExit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do "$$p" -c '$(FITS)' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
# Interpreters are never downloaded behind anybody's back.
export UV_PYTHON_DOWNLOADS := never
TEST_JOBS ?= 2
COMPOSE ?= docker compose

.DEFAULT_GOAL := help
.PHONY: avatars help demo up test unit contract simulation integration diffusion players receivers conformance e2e chaos check fmt bench contracts settings rooms requirements images flower clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9 -]*:.*## / { n = split($$1, names, " "); for (i = 1; i <= n; i++) printf "  make %-13s %s\n", names[i], $$2 }' Makefile
	@echo
	@echo "  $(BIN)/counterfoil, once one of these has run, submits and follows jobs (counterfoil --help)"

up: $(VENV)/.home  ## run everything on this machine, in the foreground; Ctrl-C stops it
	@$(BIN)/python -m deploy.embedded $(ARGS)

demo: $(VENV)/.home  ## one real job of each service, from start to result
	@$(BIN)/python -m deploy.demo $(ARGS)

test: $(VENV)/.dev  ## the whole test suite
	@SIM_SECONDS=$${SIM_SECONDS:-20} $(BIN)/python -m tests.lanes --jobs $(TEST_JOBS)

unit contract simulation integration diffusion players receivers conformance e2e: $(VENV)/.dev  ## one lane of the tests
	@$(BIN)/python -m tests.lanes --jobs $(TEST_JOBS) $@

chaos: $(VENV)/.dev  ## kill everything, count every job: JOBS=10000 KILLS=100 SEED=7 ARGS="--rabbit --plain --write"
	@$(BIN)/python -m tests.chaos $(if $(JOBS),--jobs $(JOBS)) $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

check: $(VENV)/.dev  ## format, lint, types, import direction, house rules: in seconds
	@$(BIN)/ruff format --check --quiet || { echo "Run 'make fmt'."; exit 1; }
	@$(BIN)/ruff check --quiet
	@$(BIN)/lint-imports --no-logo >$(VENV)/lint-imports.log 2>&1 || { cat $(VENV)/lint-imports.log; exit 1; }
	@$(BIN)/python -m tests.house_rules
	@$(BIN)/mypy

fmt: $(VENV)/.dev  ## format the code and mend what ruff can mend
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

bench: $(VENV)/.dev  ## the submit benchmark: the tutorial's gateway and ours, side by side
	@$(BIN)/python -m bench.submit $(ARGS)

avatars: $(VENV)/.dev  ## draw the contact sheets of docs/avatars.md and the previews of GET /v1/services
	@$(BIN)/python -m deploy.avatar_sheets

rooms: $(VENV)/.dev  ## does each room import with only its own dependencies installed?
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m deploy.rooms

contracts: $(VENV)/.dev  ## write docs/asyncapi.json, and the schemas of a new version of pyproject.toml
	@$(BIN)/python -m deploy.contracts

settings: $(VENV)/.dev  ## write docs/settings.md, every environment variable, from the settings classes
	@$(BIN)/python -m deploy.settings_page

requirements: $(VENV)/.dev  ## pin pyproject's dependency groups into requirements/ (ARGS=--upgrade takes newer releases)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m deploy.pins $(ARGS)

images:  ## build the images of docker-compose.yml (BUILD_NETWORK=host, PIP_INDEX_URL=… where needed)
	$(COMPOSE) build $(ARGS)

flower: $(VENV)/.dev  ## Celery's dashboard for the embedded home, with a login
	@$(BIN)/python -m deploy.flower $(ARGS)

clean:  ## remove the environment and every cache (the data in .counterfoil/ stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: a second run installs nothing; a changed pin installs again. dev is home and more, at the same versions.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Counterfoil needs Python 3.11, 3.12 or 3.13 with venv (Debian, Ubuntu: apt install python3-venv). Name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c '$(FITS)' || { echo "$(PYTHON) is no Python 3.11-3.13 with the venv and ensurepip modules." >&2; exit 1; }
	@echo "Making the environment $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.home: requirements/home.txt requirements/bootstrap.txt deploy/install.py | $(BIN)/python
	@echo "Installing what the embedded home needs"
	@$(BIN)/python deploy/install.py home
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/bootstrap.txt deploy/install.py | $(BIN)/python
	@echo "Installing what tests and checks need"
	@$(BIN)/python deploy/install.py dev
	@touch $@ $(VENV)/.home
