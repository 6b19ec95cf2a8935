# Everything that is done with this repository by hand. `make` alone lists it.
#
# PYTHON= names the Python that .venv is made with, ARGS= is passed on to the command, DATA= names a folder with data
# sets for the benches.

UV_VERSION := 0.13.8

PY := .venv/bin/python
SETUP := sh tools/setup.sh
CHECK := $(PY) -m tools.check
BENCH_OPTIONS = $(if $(DATA),--data "$(DATA)") $(ARGS)

MADE := .venv/made-with-uv-$(UV_VERSION)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SILENT:
.SUFFIXES:
.PHONY: help run test lint types format unit test-crash fuzz soak bench-search bench-ingest bench-quality lock clean

help: ## Show this list.
	printf '\nCarrel. The two to begin with: make run, make test.\n\n'
	awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile
	printf '\n'

run: .venv/run.stamp ## Set up what is needed, then start the server here (Ctrl-C stops it).
	exec .venv/bin/carrel serve $(ARGS)

test: .venv/dev.stamp ## Run every check and every test; ends with one line of counts.
	$(SETUP) system
	exec $(CHECK) test

lint: .venv/dev.stamp ## Check style, imports, sizes, house rules and docs.
	exec $(CHECK) lint

types: .venv/dev.stamp ## Check the types.
	exec $(CHECK) types

format: .venv/dev.stamp ## Bring the Python files into form and sort their imports.
	$(PY) -m ruff check --quiet --select I --fix .
	exec $(PY) -m ruff format .

unit: .venv/dev.stamp ## Run the tests only (ARGS="tests/jobs -k lease" for some of them).
	exec $(CHECK) unit $(ARGS)

test-crash: .venv/dev.stamp ## Kill processes under load and look for what was lost (long).
	exec $(CHECK) slow tests/crash

fuzz: .venv/dev.stamp ## Send hostile input for a long time.
	exec $(CHECK) slow tests/fuzz

soak: .venv/dev.stamp ## Keep the server under load and watch it for leaks (long).
	exec $(CHECK) slow tests/soak

bench-search: .venv/dev.stamp ## Measure searching (DATA=folder with data sets).
	exec $(PY) -m bench.search $(BENCH_OPTIONS)

bench-ingest: .venv/dev.stamp ## Measure ingestion (DATA=folder with data sets).
	exec $(PY) -m bench.ingest $(BENCH_OPTIONS)

bench-quality: .venv/dev.stamp ## Measure the quality of rankings (DATA=folder with data sets).
	exec $(PY) -m bench.quality $(BENCH_OPTIONS)

lock: $(MADE) ## Bring the locks in line with pyproject.toml (ARGS=--upgrade for newer versions).
	$(SETUP) lock $(ARGS)

clean: ## Remove .venv and all caches; data stays.
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find src tests tools bench -type d -name __pycache__ -prune -exec rm -rf {} +

# A virtual environment knows the folder it was made in. In a checkout that was moved or copied it is put right first.
ifneq "$(shell cat $(MADE) 2>/dev/null)" "$(CURDIR)"
.PHONY: $(MADE)
endif

$(MADE):
	$(SETUP) venv $(UV_VERSION)
	pwd -P > $@

.venv/project.stamp: $(MADE) pyproject.toml
	$(SETUP) project
	touch $@

.venv/run.stamp: .venv/project.stamp requirements/run.lock
	$(SETUP) install run
	touch $@

.venv/dev.stamp: .venv/project.stamp requirements/dev.lock
	$(SETUP) install dev
	touch $@
