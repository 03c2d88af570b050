# callscribe: every target has a help line; `make help` prints them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
STAGE ?= dev
BIN := .venv/bin
RUN := $(BIN)/python -m
# Imports are two to three times slower when bytecode may not be written.
unexport PYTHONDONTWRITEBYTECODE
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

.PHONY: help
help:  ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "callscribe needs Python 3.11, 3.12 or 3.13; say which by make PYTHON=python3.12")'
	@echo "Setting up .venv …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r <(sed -n '/^uv==/,/^[a-tv-z]/{/^[a-tv-z]/!p}' requirements.lock)
	@$(RUN) uv pip sync --quiet --require-hashes requirements.lock
	@$(RUN) uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv-cloud/.installed: .venv/.installed local/requirements.txt
	@echo "Setting up .venv-cloud (the laptop cloud's own environment) …"
	@test -x .venv-cloud/bin/python || $(PYTHON) -m venv --without-pip .venv-cloud
	@$(RUN) uv pip sync --quiet --require-hashes --python .venv-cloud/bin/python local/requirements.txt
	@touch $@

TORCH_LOCKS := functions/transcribe_worker/requirements-torch.txt tests/engines/torch/requirements.txt
.venv-torch/.installed: .venv/.installed $(TORCH_LOCKS)
	@echo "Setting up .venv-torch (the engine transformers and pyannote; on Linux 5.5 GB on disk, CUDA included) …"
	@test -x .venv-torch/bin/python || $(PYTHON) -m venv --without-pip .venv-torch
	@$(RUN) uv pip sync --quiet --require-hashes --python .venv-torch/bin/python $(TORCH_LOCKS)
	@.venv-torch/bin/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "callscribe.pth").write_text("$(CURDIR)/layers/core/python\n")'
	@touch $@

node_modules/.installed: package.json package-lock.json
	@node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null || \
		{ echo "callscribe needs Node.js 20 or newer (with npm) on the PATH: CDK runs on it"; exit 1; }
	@echo "Setting up the pinned CDK command line …"
	@npm ci --silent --no-audit --no-fund
	@touch $@

.PHONY: setup
setup: .venv/.installed .venv-cloud/.installed node_modules/.installed  ## Install everything (the other targets do it by themselves)

.PHONY: demo
demo: setup  ## Run the main job on genuine speech, from nothing: synthesise, deploy to the laptop cloud, upload, verify the callback
	@$(RUN) local.demo $(ENGINE_ARGS)

.PHONY: serve
serve: setup  ## Leave the same system running (PORT=8420; AUTH=1 enforces roles; ENGINE=… MODEL_DIR=… choose an engine); Ctrl-C stops it
	@$(RUN) local.serve $(if $(PORT),--port $(PORT)) $(if $(AUTH),--auth) $(ENGINE_ARGS)
ENGINE_ARGS = $(if $(ENGINE),--engine "$(ENGINE)") $(if $(MODEL_DIR),--model-dir "$(MODEL_DIR)")

.PHONY: test
test: setup  ## Run all tests, the end-to-end ones on the laptop cloud included
	@$(BIN)/pytest -q -n 3

.PHONY: test-torch
test-torch: .venv-torch/.installed  ## Run the tests of what needs torch, in an environment of its own (no GPU needed)
	@.venv-torch/bin/python -m pytest -q -m torch tests/engines/torch

.PHONY: check
check: setup  ## ruff, mypy strict, import-linter, repository tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/pytest -q tests/repository

.PHONY: synth
synth: setup  ## Synthesise the stacks for AWS into cdk.out (no account, no Docker); ARGS='-c stage=prod …' sets settings
	@npx cdk synth --quiet --output cdk.out -c target=aws -c stage=$(STAGE) $(ARGS)
	@ls cdk.out/*.template.json

.PHONY: deploy
deploy: setup  ## Deploy the stage STAGE=dev to your AWS account (asks before it changes permissions)
	@npx cdk deploy --all -c target=aws -c stage=$(STAGE) $(ARGS)

.PHONY: destroy
destroy: setup  ## Remove the stage's stacks; table, buckets and keys stay unless it was deployed with retain_data=false
	@npx cdk destroy --all -c target=aws -c stage=$(STAGE) $(ARGS)

.PHONY: smoke
smoke: setup  ## Run the main job against a deployed stage: BASE_URL=https://… APP_ID=… API_KEY=…
	@$(RUN) local.smoke --base-url "$(BASE_URL)"

.PHONY: accuracy
accuracy: setup  ## Word error rate of the embedded engine on genuine clips; words in silence, tones and noise
	@$(RUN) benchmarks.accuracy

.PHONY: bench
bench: setup $(if $(filter gpu%,$(NAME)),.venv-torch/.installed)  ## Run the benchmarks, or one: NAME=overhead, load, cold, warm, accuracy, decode, long, pack, filter, sim, cost; gpu, gpu-sweep (only by name: torch)
	@$(RUN) benchmarks $(NAME)

.PHONY: security
security: setup  ## Outbound guard, signatures, hostile receivers; tenants × routes × ids, secrets in logs: as figures
	@$(RUN) tests.security.figures
	@$(RUN) tests.security.matrix

.PHONY: reliability
reliability: setup  ## Crashes at every call, repeated and reordered events, killed workers, receivers that are down
	@$(BIN)/pytest -q -rA tests/reliability tests/e2e -k "crash or event or lost or killed or down or second or died"

.PHONY: money
money: setup  ## The ledger as figures: random steps, contending holds, every failing path, crashes
	@$(RUN) tests.reliability.figures

.PHONY: lock
lock: .venv/.installed  ## Resolve all pinned requirements anew
	@$(RUN) uv pip compile --quiet pyproject.toml --all-extras $(LOCK) -o requirements.lock
	@$(RUN) uv pip compile --quiet layers/core/requirements.in $(LOCK) -o layers/core/requirements.txt
	@$(RUN) uv pip compile --quiet layers/media/requirements.in $(LOCK) -o layers/media/requirements.txt
	@$(RUN) uv pip compile --quiet layers/documents/requirements.in $(LOCK) -o layers/documents/requirements.txt
	@$(RUN) uv pip compile --quiet functions/door/requirements.in $(LOCK) -o functions/door/requirements.txt
	@$(RUN) uv pip compile --quiet functions/fetch_video/requirements.in $(LOCK) -o functions/fetch_video/requirements.txt
	@$(RUN) uv pip compile --quiet local/requirements.in $(LOCK) -o local/requirements.txt
	@$(RUN) uv pip compile --quiet functions/transcribe_worker/requirements.in $(LOCK) -o functions/transcribe_worker/requirements.txt
	@$(RUN) uv pip compile --quiet functions/transcribe_worker/requirements-torch.in pyproject.toml --extra media --extra asr \
		-c requirements.lock $(LOCK) -o functions/transcribe_worker/requirements-torch.txt
	@$(RUN) uv pip compile --quiet tests/engines/torch/requirements.in -c requirements.lock \
		-c functions/transcribe_worker/requirements-torch.txt $(LOCK) -o tests/engines/torch/requirements.txt
LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --fork-strategy fewest --upgrade

.PHONY: clean
clean:  ## Forget the laptop cloud's state and caches; environments stay
	@rm -rf .callscribe cdk.out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
