# make run | test | install | bench | cluster | soak. Needed beforehand: Python >= 3.11, make, git. Everything else is fetched.
SHELL := /bin/sh
# the system's own first: distributions build theirs with profiles and without a shared library, version managers often do neither
PYTHON ?= $(shell for p in /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 python3.13 python3.12 python3.11 python3 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
PIP := .venv/bin/python -m pip install -q --disable-pip-version-check
PORT ?= 8000
ARGS ?=
WORKERS ?= 2
# modules are compiled once, not by each of the hundreds of processes that a run of the tests starts
unexport PYTHONDONTWRITEBYTECODE
WEB_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' -not -path 'web/dist/*' -not -path '*/tests/*' 2>/dev/null | grep -v ' ')

.PHONY: run install install-dev test lint unit web-test audit bench cluster soak fuzz clean

run: install
	@exec .venv/bin/gridloop up --port $(PORT) --simulate 10 $(ARGS)

install: .venv/.base web/dist/.built

install-dev: .venv/.dev web/dist/.built

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed / 需要 Python 3.11 至 3.13" >&2; exit 1; }
	@echo "making .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv

.venv/.base: requirements/base.txt pyproject.toml | .venv/bin/python
	@echo "installing Python packages"
	@$(PIP) --require-hashes -r requirements/base.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.base
	@echo "installing test packages"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

web/node_modules/.installed: web/package-lock.json web/package.json | .venv/.base
	@echo "installing front-end packages"
	@cd web && ../tools/npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/.built: web/node_modules/.installed $(WEB_SOURCES)
	@echo "building the front end"
	@cd web && { ../tools/npm run --silent build > node_modules/.build.log 2>&1 || { cat node_modules/.build.log; exit 1; }; }
	@touch $@

test: install-dev
	@tools/system_packages
	@$(MAKE) --no-print-directory -j 2 lint web-test
	@$(MAKE) --no-print-directory unit

lint: .venv/.dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports --no-logo
	.venv/bin/mypy gridloop conftest.py
	.venv/bin/python tools/licences.py

web-test: web/node_modules/.installed
	cd web && ../tools/npm run --silent check && ../tools/npm test --silent

unit: .venv/.dev
	.venv/bin/pytest -q -n $(WORKERS) --dist loadscope --no-loadscope-reorder $(ARGS)

# known weaknesses of what we depend on: asks advisory services, so it needs them to be reachable (lint has what works without);
# strict: a package they do not know is no package without weaknesses
audit: .venv/.dev web/node_modules/.installed
	@test -x .venv/audit/bin/pip-audit || { .venv/bin/python -m venv .venv/audit && \
		.venv/audit/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/audit.txt; }
	.venv/audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements/base.txt
	.venv/audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements/dev.txt
	cd web && ../tools/npm audit --audit-level=high

# Apache Spark is 450 MB and needs Java: what it runs is tested apart
.venv/.spark: requirements/spark.txt .venv/.dev
	@echo "installing Apache Spark"
	@$(PIP) --no-build-isolation --require-hashes -r requirements/spark.txt
	@touch $@

cluster: .venv/.spark
	@tools/system_packages cluster default-jre-headless
	.venv/bin/pytest -q -p no:xdist --timeout=900 tests/cluster $(ARGS)

bench: install-dev
	@mkdir -p bench/results
	@set -e; for file in $(filter-out bench/report.py,$(wildcard bench/*.py)); do echo "$$file"; .venv/bin/python $$file $(ARGS); done
	@.venv/bin/python bench/report.py

# every process killed again and again, the clock moved, the disk filled: as long as MINUTES says, 200 kills at least. Then every story of
# every pack on the whole product, about 20 minutes more: a quarter of it is silent_home's five weeks, hour by hour
MINUTES ?= 20
soak: install-dev
	@mkdir -p bench/results
	GRIDLOOP_SOAK_MINUTES=$(MINUTES) .venv/bin/pytest -q -p no:xdist --timeout=0 tests/proof/test_kill.py tests/proof/test_full_disk.py
	GRIDLOOP_LIVE_STORIES=all .venv/bin/pytest -q -p no:xdist --timeout=0 tests/scenes/test_live_stories.py

# many requests of every operation, then every parser of outside bytes under the fuzzer, each for its share of MINUTES;
# what crashes lies in var/fuzz
fuzz: install-dev
	GRIDLOOP_FUZZ=$$(( $(MINUTES) * 10 )) .venv/bin/pytest -q -p no:xdist --timeout=0 tests/access/test_fuzz.py
	.venv/bin/python -m tests.fuzz.run $$(( $(MINUTES) * 60 / 19 ))

clean:
	rm -rf .venv web/node_modules web/dist
