# `make demo` and `make test` need Python 3.11 to 3.13, make, bash and git; everything else they install into .venv.

SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --no-deps --disable-pip-version-check
# The tests use dlt directly, too; `sync` and the other commands switch its telemetry off themselves.
check test scale lowest orchestrators sweep pictures: export RUNTIME__DLTHUB_TELEMETRY := false

.PHONY: help demo sync explore check test scale lowest orchestrators sweep docs pictures lock clean

help:
	@echo 'make demo      sync from the bundled fake API into demo.duckdb: no token, no network'
	@echo 'make sync      CLOUDFLARE_API_TOKEN=... make sync: sync your accounts into cloudflare_oauth.duckdb'
	@echo 'make explore   open the pages on cloudflare_oauth.duckdb, or else on the demo'
	@echo 'make check     run linter, type checker and the quick tests (under a minute)'
	@echo 'make test      run linter, type checker and the tests (under 10 minutes)'
	@echo 'make scale     run the slow tests: large datasets, slow destinations'
	@echo 'make lowest    run the commands with the oldest packages that are allowed; part of make scale'
	@echo 'make orchestrators  run the examples for Dagster and Airflow in environments of their own'
	@echo 'make sweep     run the long versions of the tests of exactness and of crashes (hours)'
	@echo 'make docs      renew docs/data-dictionary.md'
	@echo 'make pictures  renew the pictures in docs/pictures'
	@echo 'make lock      renew constraints.txt and the other files that pin packages'
	@echo 'make clean     remove the environment and the caches'

demo: $(VENV)/runnable
	@$(BIN)/cloudflare-oauth demo

sync: $(VENV)/runnable
	@$(BIN)/cloudflare-oauth sync

# Without a dataset of your own, the demo's: no token, no network.
explore: $(VENV)/runnable
	@if [ -e cloudflare_oauth.duckdb ]; then $(BIN)/cloudflare-oauth explore; \
	else [ -e demo.duckdb ] || $(BIN)/cloudflare-oauth demo; $(BIN)/cloudflare-oauth explore --db demo.duckdb; fi

check: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -m quick --numprocesses 2

test: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -m 'not scale' --numprocesses 2 --dist worksteal

scale: $(VENV)/installed lowest
	$(BIN)/pytest -m timed
	$(BIN)/pytest -m 'scale and not timed' --numprocesses 2 --dist worksteal

# Old packages warn of each other; what fails is what matters.
lowest:
	@$(MAKE) --no-print-directory VENV=.venv-lowest .venv-lowest/lowest-installed
	.venv-lowest/bin/pytest -m 'not scale' --numprocesses 2 --dist worksteal -W default \
	  tests/cloudflare_oauth_pipeline/test_main.py tests/cloudflare_oauth_pipeline/cli \
	  tests/cloudflare_oauth_pipeline/destinations/test_destinations.py \
	  tests/cloudflare_oauth_pipeline/app tests/notebooks/test_notebooks.py

# Each has an environment of its own, because their packages are none of this project's.
orchestrators:
	@for name in dagster airflow; do \
	  $(MAKE) --no-print-directory VENV=.venv-$$name .venv-$$name/$$name-installed && \
	  .venv-$$name/bin/pytest -W default tests/orchestration/test_$$name.py || exit 1; \
	done

sweep: $(VENV)/installed
	SWEEP=1 EXACTNESS_EXAMPLES=45 EXACTNESS_STEPS=40 $(BIN)/pytest -rP --numprocesses 2 --dist worksteal \
	  tests/benchmarks tests/cloudflare_oauth tests/cloudflare_oauth_pipeline/run/test_summary.py \
	  tests/cloudflare_oauth_pipeline/run/test_exactness.py \
	  tests/cloudflare_oauth_pipeline/run/test_crash_safety.py \
	  tests/cloudflare_oauth_pipeline/run/test_overlapping_syncs.py \
	  tests/cloudflare_oauth_pipeline/run/test_undeclared_fields.py \
	  tests/cloudflare_oauth_pipeline/run/test_upgrades.py \
	  tests/cloudflare_oauth_pipeline/destinations/test_ducklake_on_s3.py \
	  tests/cloudflare_oauth_pipeline/destinations/test_ducklake.py \
	  tests/cloudflare_oauth_pipeline/destinations/test_destinations.py

docs: $(VENV)/installed
	$(BIN)/python -m cloudflare_oauth_pipeline.analysis.data_dictionary > docs/data-dictionary.md

pictures: $(VENV)/installed
	$(BIN)/python -m tests.support.pictures

COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --quiet \
  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header

ORCHESTRATION := pipelines/orchestration/requirements

lock: $(VENV)/installed
	$(BIN)/pip install --quiet uv
	$(COMPILE) --all-extras --upgrade --output-file constraints.txt
	$(COMPILE) --extra demo --extra notebooks --extra build --constraint constraints.txt \
	  --upgrade --output-file constraints-demo.txt
	$(COMPILE) --extra dev --upgrade --resolution lowest-direct --output-file constraints-lowest.txt
	for name in dagster airflow; do \
	  $(COMPILE) $(ORCHESTRATION)-$$name.in --extra build --extra delta --extra demo --extra postgres \
	    --constraint constraints.txt --upgrade --output-file $(ORCHESTRATION)-$$name.txt || exit 1; \
	done

clean:
	rm -rf $(VENV) .venv-lowest .venv-dagster .venv-airflow build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A developer has everything installed; to look at the demo less is enough.
$(VENV)/runnable: constraints-demo.txt pyproject.toml
	@[ -e $(VENV)/installed ] || $(MAKE) --no-print-directory $(VENV)/demo-installed
	@touch $@

$(VENV)/demo-installed: constraints-demo.txt pyproject.toml
	$(call install,constraints-demo.txt)

$(VENV)/installed: constraints.txt pyproject.toml
	$(call install,constraints.txt)

$(VENV)/lowest-installed: constraints-lowest.txt pyproject.toml
	$(call install,constraints-lowest.txt)

$(VENV)/%-installed: pipelines/orchestration/requirements-%.txt pyproject.toml
	$(call install,pipelines/orchestration/requirements-$*.txt)

# Counts the packages while pip works, because it says nothing for long.
define install
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
	  { echo 'This needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.12'; exit 1; }
	@total=$$(grep -c '==' $(1)); \
	echo "Installing $$total packages into $(VENV): a minute or two, once, on a fast line ..."; \
	$(PYTHON) -m venv $(VENV) && set -o pipefail && \
	$(PIP) --progress-bar off --require-hashes --requirement $(1) | \
	  awk -v total=$$total '/^Collecting|^Ignoring/ { printf "\r  %d of %d ", ++n, total; fflush() } \
	    /^Installing/ { printf "\r  unpacking ...     "; fflush() } END { print "" }' && \
	$(PIP) --quiet --no-build-isolation --editable .
	@touch $@
endef
