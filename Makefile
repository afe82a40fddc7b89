# The tasks of this project; `make` lists them.
#
# PYTHON=python3.13 chooses another Python for a new .venv (`make clean` removes the old one). Benchmarks with PYTHON=...
# have a virtual environment of their own for each Python.
# ARGS="..." is passed on by the targets that say so.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := python -m pip install --quiet --disable-pip-version-check
FREEZE_VENV := $(VENV)/constraints
HASHES_VENV := $(VENV)/hashes
HASH := UV_CUSTOM_COMPILE_COMMAND='make hashes' $(CURDIR)/$(HASHES_VENV)/bin/uv pip compile --quiet --generate-hashes --no-annotate \
	--python-version 3.14 --python-platform linux --constraint ../constraints.txt

# Stamps: installed packages are renewed when one of these two files changes.
DEPENDENCIES := pyproject.toml constraints.txt
RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.development-installed
BENCH_VENV := $(if $(filter-out python3,$(PYTHON)),$(VENV)/bench$(subst /,-,/$(PYTHON)),$(VENV))
BENCH := PYTHONPATH=tests $(BENCH_VENV)/bin/python -m bench
BENCHMARK := $(BENCH_VENV)/.benchmark-installed
CLIENTS := $(VENV)/.clients-installed

# The lowest branch coverage, in percent, of src/gateway/domain and of src/gateway/application that `make coverage` accepts.
COVERAGE_FLOOR := 95
COVERAGE_TESTS := tests/domain tests/application tests/contracts
# Coverage is measured on memory. Measuring doubles what a test costs, and other storages run the same domain and application.
ON_DATABASES := sqlite or postgres
END_TO_END_TESTS := tests/end_to_end
END_TO_END_HALVES := test-end-to-end-a-f test-end-to-end-g-z
SIMULATION_TESTS := tests/simulation

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(RUNTIME) ## Run the gateway on http://127.0.0.1:8000, on SQLite unless GATEWAY_DATABASE_URL says otherwise (ARGS)
	$(BIN)/gateway serve --first-key $(ARGS)

.PHONY: demo
demo: $(RUNTIME) ## Show the life of payments as tables (ARGS)
	$(BIN)/gateway demo $(ARGS)

.PHONY: test
ifdef ARGS
test: $(DEVELOPMENT) ## Run the tests; they find or start a real Postgres themselves (ARGS="-k money")
	$(BIN)/pytest $(ARGS)
else
# Three parts at once, the longest ones first and the shortest ones last: many tests wait for a database or for another process.
# Hundreds of processes start: each would compile the source where Python may not write bytecode by itself.
test: $(DEVELOPMENT)
	@$(BIN)/python -m compileall -q src
	$(MAKE) --jobs=3 --keep-going --output-sync=target $(END_TO_END_HALVES) test-rest coverage test-on-databases test-simulation
endif

.PHONY: coverage
coverage: $(DEVELOPMENT) ## Run the tests of the domain and the application in memory, and measure their branch coverage (ARGS)
	$(BIN)/coverage run -m pytest $(COVERAGE_TESTS) -k "not ($(ON_DATABASES))" $(ARGS)
	$(BIN)/coverage report --include='src/gateway/domain/*' --fail-under=$(COVERAGE_FLOOR)
	$(BIN)/coverage report --include='src/gateway/application/*' --fail-under=$(COVERAGE_FLOOR)

.PHONY: test-on-databases
test-on-databases: $(DEVELOPMENT) ## Run the same tests on SQLite and Postgres (ARGS)
	$(BIN)/pytest $(COVERAGE_TESTS) -k "$(ON_DATABASES)" $(ARGS)

.PHONY: test-end-to-end
test-end-to-end: $(DEVELOPMENT) ## Run the tests of real processes (ARGS)
	$(BIN)/pytest $(END_TO_END_TESTS) $(ARGS)

.PHONY: $(END_TO_END_HALVES)
$(END_TO_END_HALVES): test-end-to-end-%: $(DEVELOPMENT)
	$(BIN)/pytest $(END_TO_END_TESTS)/test_[$*]*.py $(ARGS)

.PHONY: test-simulation
test-simulation: $(DEVELOPMENT) ## Run the tests of the simulation (ARGS)
	$(BIN)/pytest $(SIMULATION_TESTS) $(ARGS)

.PHONY: test-rest
test-rest: $(DEVELOPMENT) ## Run all other tests (ARGS)
	$(BIN)/pytest $(addprefix --ignore=,$(COVERAGE_TESTS) $(END_TO_END_TESTS) $(SIMULATION_TESTS)) $(ARGS)

.PHONY: clients
clients: $(CLIENTS) ## Run clients that are generated from the served OpenAPI document (ARGS="typescript")
	PYTHONPATH=tests $(BIN)/python -m clients $(ARGS)

.PHONY: simulate
simulate: $(RUNTIME) ## Let random users run every operation on money, and check each outcome (ARGS="--faults --seed 7")
	$(BIN)/gateway simulate $(ARGS)

.PHONY: torture
torture: $(DEVELOPMENT) ## Break all that the gateway needs, under load, in 30 minutes; writes bench/results/torture (ARGS="--cuts 10000")
	PYTHONPATH=tests $(BIN)/python -m torture $(ARGS)

.PHONY: bench
bench: $(BENCHMARK) ## Measure the gateway and its competitors in under 15 minutes; writes bench/results
	$(BENCH) full

.PHONY: bench-quick
bench-quick: $(BENCHMARK) ## The same with short runs, in 3 minutes
	$(BENCH) quick

.PHONY: bench-webhooks
bench-webhooks: $(BENCHMARK) ## Measure the webhooks of one worker alone, in 3 minutes
	$(BENCH) webhooks

.PHONY: bench-overload
bench-overload: $(BENCHMARK) ## Measure what floods of batches, requests, logins and silent connections do to others (ARGS="--arm logins")
	$(BENCH) overload $(ARGS)

.PHONY: bench-growth
bench-growth: $(BENCHMARK) ## Measure ledgers of up to 10 million payments and a million accounts (ARGS="--history 100000")
	$(BENCH) growth $(ARGS)

.PHONY: bench-schemas
bench-schemas: $(BENCHMARK) ## Measure what other schemas would save, on copies of a ledger of a million payments (ARGS="--history 100000")
	$(BENCH) schemas $(ARGS)

.PHONY: lint
lint: $(DEVELOPMENT) ## Check style, types, layers and dependencies
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/deptry .

.PHONY: measures
measures: $(DEVELOPMENT) ## Print import cycles, the longest file, the most complex function and the files of a payment
	@PYTHONPATH=tests $(BIN)/python -m support.measures

.PHONY: format
format: $(DEVELOPMENT) ## Fix style and formatting
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: constraints
constraints: $(BIN)/pip ## Renew constraints.txt with the newest versions that pyproject.toml allows
	rm -rf $(FREEZE_VENV)
	$(BIN)/python -m venv $(FREEZE_VENV)
	$(FREEZE_VENV)/bin/python -m pip install --quiet -e '.[contracts,test,clients,lint]'
	{ grep '^#' constraints.txt; $(FREEZE_VENV)/bin/python -m pip freeze --exclude-editable; } > $(FREEZE_VENV)/frozen
	mv $(FREEZE_VENV)/frozen constraints.txt
	rm -rf $(FREEZE_VENV)
	$(MAKE) hashes

# The versions of constraints.txt, with the hashes of all files that the package index has of them.
.PHONY: hashes
hashes: $(BIN)/pip ## Renew requirements/*.txt: what the image installs, with hashes
	$(BIN)/python -m venv $(HASHES_VENV)
	$(HASHES_VENV)/bin/python -m pip install --quiet uv
	cd requirements && $(HASH) ../pyproject.toml --extra nats --extra server --output-file image.txt
	cd requirements && $(HASH) build.in --output-file build.txt
	rm -rf $(HASHES_VENV)

.PHONY: image
image: ## Build the container image `gateway`
	docker build --tag gateway .

.PHONY: compose-secrets
compose-secrets: ## Draw a signing key and passwords for compose.yaml, into .env
	.ci/compose-secrets

.PHONY: release
release: $(RUNTIME) ## Check that this commit can be released, build its wheel into dist, and tag it (VERSION=1.2.3)
	.ci/release '$(VERSION)'
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	git tag --annotate 'v$(VERSION)' --message 'Gateway $(VERSION)'
	@echo 'Tagged v$(VERSION). Publish it: git push origin v$(VERSION), and the wheel in dist.'

.PHONY: clean
clean: ## Remove .venv, builds and caches; the data in .gateway stays
	rm -rf $(VENV) build dist .*_cache .hypothesis .coverage
	find . -name __pycache__ -prune -exec rm -rf {} +

$(RUNTIME): $(DEPENDENCIES) | $(BIN)/pip
	@echo 'Installing the gateway into $(VENV) ...'
	@$(BIN)/$(PIP_INSTALL) -c constraints.txt -e '.[server]'
	@touch $@

$(DEVELOPMENT): $(DEPENDENCIES) | $(BIN)/pip
	@echo 'Installing the gateway and what its tests need into $(VENV); the first time takes a minute ...'
	@$(BIN)/$(PIP_INSTALL) -c constraints.txt -e '.[contracts,test,lint]'
	@touch $@ $(RUNTIME)

$(BENCHMARK): $(DEPENDENCIES) | $(BENCH_VENV)/bin/pip
	@echo 'Installing what the benchmarks need into $(BENCH_VENV) ...'
	@$(BENCH_VENV)/bin/$(PIP_INSTALL) -c constraints.txt -e '.[contracts,test,bench]'
	@touch $@

$(CLIENTS): $(DEVELOPMENT)
	@echo 'Installing what generates clients into $(VENV) ...'
	@$(BIN)/$(PIP_INSTALL) -c constraints.txt -e '.[test,clients]'
	@touch $@

# A virtual environment gets its pip from ensurepip, which Debian ships in a package of its own. If that is missing, the
# system's pip is used.
%/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'The gateway needs Python 3.11 or newer: make PYTHON=/path/to/python3.13 ...' >&2; exit 1; }
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
		$(PYTHON) -m venv $*; \
	elif $(PYTHON) -m pip --version >/dev/null 2>&1; then \
		$(PYTHON) -m venv --without-pip $* && $(PYTHON) -m pip --python $*/bin/python install --quiet pip; \
	else \
		echo 'This Python cannot make virtual environments. On Debian and Ubuntu: sudo apt install python3-venv' >&2; \
		exit 1; \
	fi
