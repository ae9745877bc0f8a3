# `make demo` and `make test` need Python 3.11 to 3.13, make and git; everything else they install into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Nothing of this project tells anyone that it runs.
export RUNTIME__DLTHUB_TELEMETRY := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo sync explore test sweep docs pictures lock clean

help:
	@echo 'make demo    sync from the bundled API into demo.duckdb: no token, no network'
	@echo 'make sync    CLOUDFLARE_API_TOKEN=... make sync: sync your accounts into cloudflare_oauth.duckdb'
	@echo 'make explore open the notebooks on cloudflare_oauth.duckdb, or else on the demo'
	@echo 'make test    run linter, type checker and all tests'
	@echo 'make sweep   run the long versions of the tests of everything together and of crashes (an hour)'
	@echo 'make docs    renew docs/data-dictionary.md'
	@echo 'make pictures renew the pictures in docs/pictures'
	@echo 'make lock    renew constraints.txt'
	@echo 'make clean   remove the environment and the caches'

demo: $(VENV)/installed
	@$(BIN)/cloudflare-oauth demo

sync: $(VENV)/installed
	@$(BIN)/cloudflare-oauth sync

# Without a dataset of your own, the demo's: no token, no network.
explore: $(VENV)/installed
	@if [ -e cloudflare_oauth.duckdb ]; then $(BIN)/cloudflare-oauth explore; \
	else [ -e demo.duckdb ] || $(BIN)/cloudflare-oauth demo; $(BIN)/cloudflare-oauth explore --db demo.duckdb; fi

test: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 2 --dist worksteal

sweep: $(VENV)/installed
	SWEEP=1 EXACTNESS_EXAMPLES=200 EXACTNESS_STEPS=60 $(BIN)/pytest --numprocesses 2 --dist worksteal \
	  tests/cloudflare_oauth_pipeline/run/test_exactness.py \
	  tests/cloudflare_oauth_pipeline/run/test_crash_safety.py \
	  tests/cloudflare_oauth_pipeline/destinations/test_destinations.py

docs: $(VENV)/installed
	$(BIN)/python -m cloudflare_oauth_pipeline.analysis.data_dictionary > docs/data-dictionary.md

pictures: $(VENV)/installed
	$(BIN)/python -m tests.notebooks.pictures

lock: $(VENV)/installed
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --upgrade --quiet \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
	  --output-file constraints.txt

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/installed: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
	  { echo 'This needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.12'; exit 1; }
	@echo 'Making the environment in $(VENV) ...'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps --requirement constraints.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
