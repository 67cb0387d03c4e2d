# Bare `make` lists the targets.  The first target that needs them installs the packages of
# requirements.txt into .venv and fetches the Lambda's; the second time that takes no time.
PYTHON ?= python3
bin := .venv/bin
ready := .venv/.ready

.PHONY: help demo test check unit format lock docs synth bench clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

demo: $(ready) ## do the main job on the laptop clouds and print what happened (REEL=folder adds certificates)
	@$(bin)/firstlight demo $(if $(REEL),--reel "$(REEL)")

test: $(ready) ## run all tests but `cloud`
	@$(bin)/pytest -m "not cloud"

check: $(ready) ## formatting, lint, types, imports and all tests but `cloud`
	@$(bin)/ruff format --check .
	@$(bin)/ruff check .
	@$(bin)/mypy
	@$(bin)/lint-imports
	@$(bin)/pytest -m "not cloud"

unit: $(ready) ## run the unit tests alone
	@$(bin)/pytest tests/unit

format: $(ready) ## format the code
	@$(bin)/ruff format .
	@$(bin)/ruff check --fix .

docs: $(ready) ## write docs/cli.md from the commands themselves
	@$(bin)/python -m tests.docs.cli_page

synth: $(ready) ## synthesize the stacks of regions.toml into cdk.out
	@$(bin)/python -m cdk.app

bench: $(ready) ## measure the ingest and its queue against a stub cloud, and the MQTT front door
	@$(bin)/python -m benchmarks.run
	@$(bin)/python -m benchmarks.queue_run
	@$(bin)/python -m benchmarks.front_door

lock: ## pin requirements.txt anew from requirements.in, with hashes
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet pip-tools
	build/lock/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --no-emit-options --no-header \
		--output-file requirements.txt requirements.in

clean: ## remove everything that was made
	rm -rf .venv build cdk.out .firstlight .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(ready): requirements.txt pyproject.toml lambdas/requirements.txt azure/function_app/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "firstlight needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.12")'
	@echo "Setting up .venv (once; a few minutes) ..."
	@$(PYTHON) -m venv .venv
	@$(bin)/pip install -qq --disable-pip-version-check --require-hashes -r requirements.txt
	@$(bin)/pip install -qq --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@$(bin)/python -m firstlight.deploy.bundle
	@$(bin)/python -m firstlight.deploy.azure_bundle
	@touch $@
