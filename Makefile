# The project: setup, demo, check, test, bench. A team's data: ingest, clean-data, tokenize, train (RECIPE, STORE, SLOP_LIST).
VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
RECIPE ?= configs/demo.yaml
STORE  ?= data/artifacts
SLOP_LIST ?=

PREP := $(BIN)/prep
FLAGS = --config $(RECIPE) --store $(STORE)

.PHONY: help setup demo check test test-all bench ingest clean-data tokenize train

help:           ## list the targets
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

setup: $(VENV)/.complete  ## make .venv with all that is pinned in constraints.txt

$(VENV)/.complete: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check torch --constraint constraints.txt
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --editable '.[train,dev]' --constraint constraints.txt
	@touch $@

demo: setup     ## the whole pipeline on data/samples, down to an adapter and a learning curve
	$(PREP) run configs/demo.yaml --store $(STORE)
	@echo
	@$(PREP) list --store $(STORE)
	@echo
	@echo "adapter:        $$(ls -td $(STORE)/train/demo@*/adapter | head -n 1)"
	@echo "learning curve: $$(ls -td $(STORE)/train/demo@*/learning_curve.png | head -n 1)"

check: setup    ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup     ## all tests but the slow ones, in some ten minutes on two cores
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow"

test-all: setup ## the slow tests, too, and those of clusters
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[ray,dask,slurm]' --constraint constraints.txt
	$(BIN)/python -m pytest -n 2 --dist loadgroup

bench: setup    ## measurements, as ratios within one run
	$(BIN)/python -m pytest tests/benchmarks -s -o addopts=

ingest: setup         ## prep ingest with RECIPE into STORE
	$(PREP) ingest $(FLAGS)

clean-data: setup     ## prep clean with RECIPE and SLOP_LIST
	$(PREP) clean $(FLAGS) $(if $(SLOP_LIST),--slop-list $(SLOP_LIST))

tokenize: setup       ## prep tokenize with RECIPE
	$(PREP) tokenize $(FLAGS)

train: setup          ## prep train with RECIPE
	$(PREP) train $(FLAGS)
