# nlp-study: `make study` and `make test` set everything up by themselves.
PYTHON  ?= python3
VENV    ?= .venv
BIN     := $(VENV)/bin
STUDY   ?= study.toml
PROFILE ?= gpu
ENCODER ?=
GPUS    ?= 1
TRIALS  ?= 20
STAMP   := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup study train tune test lint bench check-demo encoder parser clean

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## create .venv and install everything

# torch first and alone: any other package would pull its newest release, a CUDA build of several gigabytes
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "nlp-study needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

study: $(STAMP) ## run the study of study.toml (STUDY=PATH for another) and write its report
	$(BIN)/nlp-study run --study $(STUDY)

# one process a GPU; each fold and the final model are trained by all together
LAUNCH = $(if $(filter-out 1,$(GPUS)),$(BIN)/torchrun --standalone --nproc-per-node $(GPUS) -m nlp_study.cli,$(BIN)/nlp-study)
CHOICE = --study $(STUDY) --profile $(PROFILE) $(if $(ENCODER),--encoder $(ENCODER))

train: $(STAMP) ## fine-tune IndoBERT on a GPU box (GPUS=4 PROFILE=gpu-large; PROFILE=cpu ENCODER=e5-small-id: here)
	$(LAUNCH) train $(CHOICE)

tune: $(STAMP) ## search for the settings of that training (TRIALS=20)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train]'
	$(BIN)/nlp-study tune $(CHOICE) --trials $(TRIALS)

test: $(STAMP) ## run the tests, without network
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest

lint: $(STAMP) ## ruff, formatting and types
	$(BIN)/ruff check nlp_study scripts tests
	$(BIN)/ruff format --check nlp_study scripts tests
	$(BIN)/mypy

bench: $(STAMP) ## benchmarks beside their peers (QUICK=--quick for a minute each)
	@for bench in scripts/bench_*.py; do echo "== $$bench"; $(BIN)/python $$bench $(QUICK) || failed=1; done; exit $${failed:-0}

check-demo: $(STAMP) ## measure the demonstration corpus against its datasheet
	$(BIN)/python scripts/check_demo.py --disagreements

encoder: $(STAMP) ## build models/e5-small-id from its sources again (needs network)
	$(BIN)/python scripts/build_encoder.py

parser: $(STAMP) ## train models/id_ud_sm on the treebanks in ../shared/data (three hours on 2 cores)
	$(BIN)/python scripts/build_parser.py

clean: ## remove what was generated; the environment, the archive and who was forgotten stay
	@if [ -d data ]; then find data -mindepth 1 -maxdepth 1 ! -name privacy.key ! -name forgotten.txt ! -name crawl -exec rm -rf {} +; fi
	rm -rf .pytest_cache .mypy_cache .ruff_cache
