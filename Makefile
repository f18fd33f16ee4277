# What a developer does here, by name. `make` alone lists it.
# Each target makes the environment first where it is missing, so any of them may be the first.
# Windows without make: README.md and CONTRIBUTING.md give the same steps for PowerShell.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_HOME := $(CURDIR)/.demo
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help venv demo test fuzz chaos check bench format docs lock clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

venv: $(READY) ## Make the environment from the hash-pinned requirements

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "Chatlift needs Python 3.11 to 3.13. Name one: make PYTHON=python3.12 venv"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python's venv module is missing. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Installing the pinned packages into $(VENV) (once; about 350 MB) ..."
	@$(PIP) install --no-compile --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-compile --no-deps --no-build-isolation --no-index --editable .
	@echo "Compiling them, so that the first command starts as fast as all others ..."
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib > /dev/null 2>&1 || true
	@touch $(READY)

demo: $(READY) ## Generate a CRM, train three models, test them, list the ten best leads
	@unset CHATLIFT_DATABASE_URL CHATLIFT_ARTIFACTS CHATLIFT_ACCOUNT; \
		CHATLIFT_HOME="$(DEMO_HOME)" $(BIN)/chatlift demo

test: $(READY) ## Run the whole test suite
	@OMP_WAIT_POLICY=passive $(BIN)/python -m pytest --numprocesses=auto --dist=loadscope

fuzz: $(READY) ## Send the service requests made up from its own description, for minutes
	@CHATLIFT_FUZZ_EXAMPLES=$${CHATLIFT_FUZZ_EXAMPLES:-100} $(BIN)/python -m pytest --timeout=7200 \
		tests/journeys/test_fuzzing.py

check: $(READY) ## Hold format, lint, types, import direction and docs, without running the code
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python scripts/check_docs.py --check
	@$(BIN)/python scripts/cli_reference.py --check
	@$(BIN)/python scripts/feature_catalogue.py --check

chaos: $(READY) ## Kill processes and stop runs at random moments; about half an hour
	@CHATLIFT_CHAOS=long OMP_WAIT_POLICY=passive $(BIN)/python -m pytest tests/chaos -s \
		-p no:cacheprovider

bench: $(READY) ## Measure again what docs/benchmarks.md tells; some hours on two cores
	@for name in features one_contact generate importing receiving load learning run_real_data shuffled_labels leaks twenty_seeds engagement_gap gate reasons ladder demos base_rate calibration_checks seed_spread; do \
		echo; echo "benchmarks.$$name"; \
		OMP_WAIT_POLICY=passive $(BIN)/python -m benchmarks.$$name || exit 1; done

format: $(READY) ## Put every file into the common format
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format .

docs: $(READY) ## Write the generated pages anew
	@$(BIN)/python scripts/cli_reference.py
	@$(BIN)/python scripts/feature_catalogue.py

lock: $(READY) ## Pin the dependencies again (needs uv)
	@$(BIN)/python scripts/lock.py

clean: ## Remove the environment, the demo's data and all caches
	@rm -rf $(VENV) $(DEMO_HOME) build dist .pytest_cache .mypy_cache .ruff_cache \
		.import_linter_cache .hypothesis training_log.txt test_log.txt
