# Every target has scripts/setup create or repair its environment from the lock files first; uv is used where it is installed.
SHELL := /bin/bash
# Which Python to take, for example PYTHON=python3.12; without it, python3, or another one that fits.
PYTHON ?=
# Each worker of the tests starts emulators of its own: about 1 GB and most of a processor. Three were no faster on two.
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
CLOUD_VENV := .venv-cloud
# What is set for another Python must not reach into the environment.
unexport PYTHONHOME PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help demo up test test-again test-wheel fresh check check-cloud format bench bench-merge bench-view bench-status bench-pubsub bench-secops bench-lists load cost scale soak histories fuzz lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.local ## run the whole mesh once with scripted failures, and balance the accounts
	@$(BIN)/gti-mesh demo $(ARGS)

up: $(VENV)/.local ## keep the mesh running on this machine until Ctrl-C
	@$(BIN)/gti-mesh up $(ARGS)

test: $(VENV)/.dev ## run every test tier
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 15 --durations-min 5 $(ARGS)

# For .ci/run: a test that runs processes against a clock may fail once on a busy machine; a defect fails again.
test-again: export PYTEST_ADDOPTS := $(PYTEST_ADDOPTS) --last-failed
test-again: test ## run only the tests that failed last time

test-wheel: $(VENV)/.dev ## install the wheel with today's newest releases of everything, and run the mesh from it
	@$(BIN)/pytest -m wheel tests/setup $(ARGS)

fresh: ## run both commands on a bare Debian 12 and 13 (needs root and debootstrap)
	@scripts/fresh-debian bookworm demo test
	@scripts/fresh-debian trixie demo test

check: $(VENV)/.dev ## ruff, ruff format, mypy --strict, import-linter, terraform fmt
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@if command -v terraform >/dev/null; then TF_CLI_CONFIG_FILE=/dev/null terraform fmt -recursive -check -diff infra/terraform; \
	  else echo "terraform is not installed: the form of infra/terraform is not checked, and its plans are not tested"; fi

check-cloud: $(CLOUD_VENV)/.cloud ## hadolint and checkov over Dockerfile and Terraform; exceptions in .checkov.yaml
	@$(CLOUD_VENV)/bin/hadolint Dockerfile
	@$(CLOUD_VENV)/bin/checkov --config-file .checkov.yaml --file Dockerfile
	@$(CLOUD_VENV)/bin/checkov --config-file .checkov.yaml --directory infra/terraform

format: $(VENV)/.dev ## fix what ruff can fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure the downloader on this machine
	@$(BIN)/python -m benchmarks.downloader $(ARGS)

bench-merge: $(VENV)/.dev ## bill a merge by BigQuery's rules as the archive grows; rewrites docs/cost.md
	@$(BIN)/python -m benchmarks.merge --page docs/cost.md $(ARGS)

bench-view: $(VENV)/.dev ## measure queries of newest versions on the emulator; rewrites its part of docs/performance.md
	@$(BIN)/python -m benchmarks.view --page docs/performance.md $(ARGS)

bench-status: $(VENV)/.dev ## measure a reading of the status page in a bad week, in a young and an old ledger
	@$(BIN)/python -m benchmarks.looking $(ARGS)

bench-pubsub: $(VENV)/.dev ## measure the embedded Pub/Sub on this machine
	@$(BIN)/python -m benchmarks.pubsub $(ARGS)

bench-secops: $(VENV)/.dev ## compare the forwarding of notifications into SecOps with two other programs
	@$(BIN)/python -m benchmarks.secops $(ARGS)

bench-lists: $(VENV)/.dev ## measure an hour of all threat lists through the mesh; rewrites its part of docs/performance.md
	@$(BIN)/python -m benchmarks.lists --page docs/performance.md $(ARGS)

cost: $(VENV)/.dev ## compute a month's cost from docs' volumes and prices; rewrites docs/cost.md
	@$(BIN)/python -m benchmarks.monthly --page docs/cost.md $(ARGS)

scale: $(VENV)/.dev ## limits by arithmetic, backfills by simulation; rewrites docs/scale.md
	@$(BIN)/python -m benchmarks.scale --page docs/scale.md $(ARGS)

soak: $(VENV)/.dev ## kill processes and inject faults for 15 minutes, by a seeded plan; the accounts balance at the end
	@$(BIN)/python -m tests.soak $(ARGS)

histories: $(VENV)/.dev ## poll a stream through 100,000 random histories; every notification is in one page
	@HISTORIES=100000 $(BIN)/pytest tests/unit/services/secops_forwarder/poll/test_histories.py \
		tests/unit/services/secops_forwarder/poll/test_updates.py \
		tests/unit/services/secops_forwarder/poll/test_window_collector.py -k history --timeout 0 -p no:logging $(ARGS)

load: $(VENV)/.dev ## load the local mesh as far as this machine goes; rewrites its part of docs/performance.md
	@$(BIN)/python -m benchmarks.load --page docs/performance.md $(ARGS)

fuzz: $(VENV)/.dev ## give everything that comes from outside 100,000 malformed inputs
	@$(BIN)/python -m tests.fuzz $(ARGS)

# One set of versions: what is tested is what the image runs. No index addresses are recorded.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
lock: $(VENV)/.dev ## recompile the lock files (ARGS=--upgrade: with the newest releases), and test them on every Python
	@$(COMPILE) $(ARGS) --extra local --extra dev pyproject.toml -o requirements-dev.lock
	@$(COMPILE) $(ARGS) --constraint requirements-dev.lock --extra local pyproject.toml -o requirements-local.lock
	@$(COMPILE) $(ARGS) --constraint requirements-dev.lock pyproject.toml -o requirements.lock
	@$(COMPILE) $(ARGS) --constraint requirements-dev.lock --group build -o requirements-build.lock
	@$(COMPILE) $(ARGS) --group cloud -o requirements-cloud.lock
	@scripts/check-wheels $(BIN)/uv

clean: ## remove the environment, caches and local state
	rm -rf $(VENV) $(CLOUD_VENV) .gti-mesh .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# Checked by every make, because a file's date does not show whether an environment still works.
.PHONY: $(VENV)/.local $(VENV)/.dev $(CLOUD_VENV)/.cloud
$(VENV)/.local $(VENV)/.dev $(CLOUD_VENV)/.cloud:
	@PYTHON='$(PYTHON)' scripts/setup $(@D) $(@F:.%=%)

# One environment cannot be made twice at the same time.
.NOTPARALLEL:
