# shortcast: what a person types. `make` alone lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The interpreter that makes the environment; any from 3.11 on.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3.14 python3,$(shell command -v $(name))))
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# mlflow sends usage telemetry unless told not to: nothing leaves the machine unasked.
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
# Without bytecode kept, each command would spend three seconds on compiling the libraries anew.
unexport PYTHONDONTWRITEBYTECODE

# As it was written, whatever signs are in it.
ifneq ($(origin RECORDS),undefined)
override RECORDS := $(value RECORDS)
export RECORDS
endif

.PHONY: help install up test test-slow test-all audit check format bench lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## the environment in .venv: every extra, locked, the project itself editable

# uv, itself installed by hash, is some ten times faster than pip here. It knows nothing of pip's
# configuration, so where packages come from a mirror that only pip is told of, pip does the work.
# Compiled at once, by all cores, as pip would: else each of the first commands compiles its part.
$(STAMP): pyproject.toml requirements/all.txt requirements/uv.txt
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'shortcast needs Python 3.11 or newer: install it, or name it with `make install PYTHON=...`.' >&2; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/all.txt || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/all.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@scripts/system-packages --if-missing || echo 'going on without: what needs it says so' >&2
	@touch $@

up: install ## first run: data, model, service; simulated records, or RECORDS=DIR; PORT=8001 serves there
	@scripts/system-packages --if-missing
	$(if $(filter undefined,$(origin RECORDS)),,@test -n "$$RECORDS" || \
		{ echo 'RECORDS is empty: name the folder of the records, or leave it out.' >&2; exit 1; })
	$(BIN)/shortcast up $(if $(RECORDS),--records "$$RECORDS") $(if $(PORT),--port "$(PORT)")

test: install ## the fast tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" --numprocesses auto --dist loadfile $(ARGS)

test-slow: install ## the slow tests alone
	$(BIN)/python -m pytest -m slow $(ARGS)

test-all: install ## every test
	$(BIN)/python -m pytest $(ARGS)

audit: install ## the poisoned future: falsify what came later, and demand that nothing changes
	$(BIN)/shortcast audit $(ARGS)

check: install ## ruff, the type checker and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(BIN)/python scripts/link-tree build/types
	$(BIN)/basedpyright | sed -E 's#[^ ]*build/types/shortcast/(features|training|serving|monitoring)/#\1/#; s#[^ ]*build/types/##'
	cd build/types && ../../$(BIN)/lint-imports --config ../../pyproject.toml --no-cache --no-logo

format: install ## let ruff format and mend what it safely can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## time and memory of each stage, and of made-up markets of two sizes
	$(BIN)/python -m benchmarks.market_size
	$(BIN)/python -m benchmarks $(ARGS)

# all.txt is resolved first; the others hold to its versions.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

lock: install ## resolve the dependencies anew; ARGS=--upgrade takes newer versions
	$(LOCK) $(ARGS) --all-extras --group dev pyproject.toml -o requirements/all.txt
	$(LOCK) --constraint requirements/all.txt pyproject.toml -o requirements/base.txt
	echo uv | $(LOCK) --no-annotate --constraint requirements/all.txt - -o requirements/uv.txt

clean: ## remove the environment, builds and caches (not SHORTCAST_HOME)
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
