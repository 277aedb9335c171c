SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
STUDY ?= results/demo
WORKERS ?= 2
KILLS ?= 200
SERVER ?= mlflow-server
PORT ?= 5000

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slurm test-real fuzz torture lint format mlflow mlflow-server clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## set up .venv, once; every other target does so where it is missing
	@echo "Ready: source $(BIN)/activate"

demo: $(READY)  ## run the embedded demo study on all cores
	@PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --cores all --workflow-profile workflow/profiles/default --logger ctharmony
	@printf 'Report:    %s\nMLflow UI: %s\n' results/demo/report.html 'make mlflow'

test: $(READY)  ## run the tests
	@PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder tests

test-slurm: $(READY)  ## run the tests against a real Slurm on loopback (needs Debian's packages: .ci/run)
	@PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -q tests/slurm

torture: $(READY)  ## kill small studies at KILLS (200) random moments and compare every byte
	@PATH="$(CURDIR)/$(BIN):$$PATH" CTHARMONY_KILLS=$(KILLS) python -m pytest -q -s --timeout 0 tests/workflow/test_kills.py

test-real: $(READY)  ## run the study over the real scans in CTHARMONY_REAL_DATA
	@test -n "$(CTHARMONY_REAL_DATA)" || { echo "set CTHARMONY_REAL_DATA to the folder of real scans"; exit 2; }
	@PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -q -s tests/real

fuzz: $(READY)  ## read 2,000 mutated files: no crash, no hang, no write elsewhere
	@PATH="$(CURDIR)/$(BIN):$$PATH" CTHARMONY_FUZZ=$${CTHARMONY_FUZZ:-2000} python -m pytest -q -n $(WORKERS) --dist load tests/unit/io/test_fuzz.py

lint: $(READY)  ## check style: ruff, snakefmt, snakemake --lint
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/snakefmt --check Snakefile workflow
	@PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --lint

format: $(READY)  ## put code into the house style
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format . ; $(BIN)/snakefmt Snakefile workflow

mlflow: $(READY)  ## open the MLflow UI of STUDY (results/demo) on 127.0.0.1
	@$(BIN)/python -m ctharmony.tracking ui --results $(STUDY)

mlflow-server: $(READY)  ## a group's MLflow server: PostgreSQL, login; secrets come from the environment
	@$(BIN)/python -m pip install -q -c constraints.txt -e '.[server]'
	@$(BIN)/python -m ctharmony.tracking server --folder $(SERVER) --port $(PORT)

clean:  ## remove results and logs of the demo
	@rm -rf results/demo logs/demo

# torch first and pinned: a looser request would fetch gigabytes of CUDA
$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ctharmony needs Python >= 3.11: make PYTHON=python3.11 ..."; exit 2; }
	@echo "Setting up $(VENV) (two to six minutes, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q -c constraints.txt "torch==$$(sed -n 's/^torch==//p' constraints.txt)"
	@$(BIN)/python -m pip install -q -c constraints.txt -e '.[test]'
	@touch $@
