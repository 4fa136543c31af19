# Every target makes its own .venv from the pinned requirements; uv is used when it is there, plain venv and pip otherwise.
SHELL := /bin/bash
PYTHON ?= python3
# Each worker of the tests starts emulators of its own: about 1 GB and most of a processor. Three were no faster on two.
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
CLOUD_VENV := .venv-cloud
ifneq ($(shell command -v uv 2>/dev/null),)
  MAKE_VENV = uv venv --quiet --allow-existing --seed --python $(PYTHON) $(VENV)
  INSTALL = uv pip install --quiet --python $(BIN)/python
else
  MAKE_VENV = $(PYTHON) -m venv $(VENV)
  INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

.DEFAULT_GOAL := help
.PHONY: help demo up test check check-cloud format bench bench-merge bench-pubsub bench-secops load cost scale soak fuzz lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.local ## run the whole mesh once through a scripted bad day, and balance the accounts
	@$(BIN)/gti-mesh demo $(ARGS)

up: $(VENV)/.local ## keep the mesh running on this machine until Ctrl-C
	@$(BIN)/gti-mesh up $(ARGS)

test: $(VENV)/.dev ## run every test tier
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 15 --durations-min 5 $(ARGS)

check: $(VENV)/.dev ## ruff, ruff format, mypy --strict, import-linter, terraform fmt
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@if command -v terraform >/dev/null; then TF_CLI_CONFIG_FILE=/dev/null terraform fmt -check -diff infra/terraform; \
	  else echo "terraform is not installed: the form of infra/terraform is not checked, and its plans are not tested"; fi

check-cloud: $(CLOUD_VENV)/.ready ## hadolint and checkov over Dockerfile and Terraform; exceptions in .checkov.yaml
	@$(CLOUD_VENV)/bin/hadolint Dockerfile
	@$(CLOUD_VENV)/bin/checkov --config-file .checkov.yaml --file Dockerfile
	@$(CLOUD_VENV)/bin/checkov --config-file .checkov.yaml --directory infra/terraform

format: $(VENV)/.dev ## mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure the downloader on this machine
	@$(BIN)/python -m tests.bench.downloader $(ARGS)

bench-merge: $(VENV)/.dev ## bill a merge by BigQuery's rules as the archive grows; rewrites docs/cost.md
	@$(BIN)/python -m tests.bench.merge --page docs/cost.md $(ARGS)

bench-pubsub: $(VENV)/.dev ## measure the embedded Pub/Sub on this machine
	@$(BIN)/python -m tests.bench.pubsub $(ARGS)

bench-secops: $(VENV)/.dev ## measure the way of notifications into SecOps beside two others
	@$(BIN)/python -m tests.bench.secops $(ARGS)

cost: $(VENV)/.dev ## compute a month's cost from docs' volumes and prices; rewrites docs/cost.md
	@$(BIN)/python -m tests.bench.monthly --page docs/cost.md $(ARGS)

scale: $(VENV)/.dev ## limits by arithmetic, backfills by simulation; rewrites docs/scale.md
	@$(BIN)/python -m tests.bench.scale --page docs/scale.md $(ARGS)

soak: $(VENV)/.dev ## kill and wreck everything for 15 minutes, by a seeded plan; the accounts balance at the end
	@$(BIN)/python -m tests.soak $(ARGS)

load: $(VENV)/.dev ## load the local mesh as far as this machine goes; rewrites its part of docs/performance.md
	@$(BIN)/python -m tests.bench.load --page docs/performance.md $(ARGS)

fuzz: $(VENV)/.dev ## give everything that comes from outside 100,000 bent and broken inputs
	@$(BIN)/python -m tests.fuzz $(ARGS)

lock: ## compile the pins anew (needs uv); no index addresses are recorded
	uv pip compile --quiet --universal --generate-hashes --no-header pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --group build -o requirements-build.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --group cloud -o requirements-cloud.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --extra local pyproject.toml -o requirements-local.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --extra local --extra dev pyproject.toml -o requirements-dev.lock

clean: ## remove the environment, caches and local state
	rm -rf $(VENV) $(CLOUD_VENV) .gti-mesh .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(CLOUD_VENV)/.ready: requirements-cloud.lock
	@echo "setting up $(CLOUD_VENV) (once)"
	@$(PYTHON) -m venv $(CLOUD_VENV)
	@$(CLOUD_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-cloud.lock
	@touch $@

$(VENV)/.local: requirements-local.lock pyproject.toml
	@echo "setting up $(VENV) (once)"
	@$(MAKE_VENV)
	@$(INSTALL) --require-hashes -r requirements-local.lock
	@$(INSTALL) --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.local
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@
