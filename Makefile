# Offload's commands; `make help` lists them. Needs Python 3.11 or newer and nothing else: the rest goes into .venv.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BENCH := .venv-bench
AUDIT := .venv-audit
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check install --quiet --require-hashes
LOCK := $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--custom-compile-command "make lock"
SOURCES := accounts bench config jobs requirements tests manage.py gunicorn.conf.py
# Checks load the settings too; they must not touch the data of `make run`.
CHECKS := VAR_DIR=$(CURDIR)/$(VENV)/var $(PYTHON)
# A test process for each core; one that has nothing left takes from another, as tests differ in length.
SIDE_BY_SIDE := -n logical --dist worksteal
# A .venv that is missing, half made, or whose Python is gone is made anew.
NEW_VENV := $(if $(shell $(PYTHON) -c "import pip; print('whole')" 2>/dev/null),,venv)

.PHONY: help run worker demo test check soak faults screenshots lint lock audit sbom install bench bench-guard clean venv

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' Makefile

run: $(VENV)/base.installed ## start everything, with the sandbox, at http://127.0.0.1:8000 (HOST, PORT); Ctrl-C stops it
	@SANDBOX=1 exec $(PYTHON) manage.py run

worker: $(VENV)/base.installed ## start one more worker beside `make run` (ROLE=network or ROLE=media: for that role only)
	@SANDBOX=1 exec $(PYTHON) manage.py rqworker $(if $(ROLE),--role $(ROLE))

demo: $(VENV)/base.installed ## start everything in a throw-away folder, do what a user would, print the outcomes, stop
	@SANDBOX=1 exec $(PYTHON) manage.py demo

test: lint $(AUDIT)/installed ## lint, then every test on SQLite, then those that touch the database on PostgreSQL
	@if command -v node >/dev/null; then node --test tests/js/*.test.js; else \
		echo "Node is not here: tests/js is left out (the browser tests cover the same scripts)."; fi
	@if command -v npm >/dev/null; then npm ci --silent; else \
		echo "npm is not here: pages are not checked with axe-core."; fi
	$(PYTHON) -m pytest $(SIDE_BY_SIDE)
	OFFLOAD_TEST_DATABASE=postgresql $(PYTHON) -m pytest $(SIDE_BY_SIDE) -m "not browser and not apart"

check: lint ## an answer in a minute: lint, and all tests that need no process of ours, no browser and no PostgreSQL
	$(PYTHON) -m pytest $(SIDE_BY_SIDE) -q -m "not browser and not stack"

soak: $(VENV)/dev.installed ## what needs counts and rounds: the whole fault matrix three times on both databases (half an hour)
	$(PYTHON) -m tests.faults.matrix --rounds 3

faults: $(VENV)/dev.installed ## show what Offload survives: every row of the fault matrix on both databases (10 minutes; ROUNDS=5)
	$(PYTHON) -m tests.faults.matrix $(if $(ROUNDS),--rounds $(ROUNDS))

screenshots: $(VENV)/dev.installed ## use the whole site in Chromium and write docs/screenshots.md with its pictures (5 minutes)
	$(PYTHON) -m tests.browser.screenshots

lint: $(VENV)/dev.installed ## the checks that run nothing: ruff, mypy, migrations, Django's own
	$(VENV)/bin/ruff check $(SOURCES)
	$(VENV)/bin/ruff format --check $(SOURCES)
	$(CHECKS) -m mypy $(SOURCES)
	$(CHECKS) manage.py makemigrations --check --dry-run
	$(CHECKS) manage.py check

lock: $(VENV)/dev.installed ## write requirements/*.txt anew from requirements/*.in; pins that still fit stay
	cd requirements && ../$(LOCK) base.in -o base.txt && ../$(LOCK) dev.in -o dev.txt \
		&& ../$(LOCK) bench.in -o bench.txt && ../$(LOCK) audit.in -o audit.txt
	$(MAKE) sbom

audit: $(AUDIT)/installed ## ask advisory sources about every locked package: nothing found, found (1), or could not ask (2)
	@$(AUDIT)/bin/python requirements/audit.py

# A package's own address stands for the index that it came from, which differs from place to place. Later versions of the
# format name that of the tool itself.
sbom: $(AUDIT)/installed ## write requirements/sbom.cdx.json anew: what is installed, as CycloneDX
	$(AUDIT)/bin/cyclonedx-py requirements requirements/base.txt --pyproject pyproject.toml --index-url pkg:pypi --sv 1.3 \
		--output-reproducible --output-file requirements/sbom.cdx.json

bench: $(BENCH)/installed ## measure Offload beside other systems, on both databases (about 15 minutes; leave the machine alone)
	$(BENCH)/bin/python -m bench.api --database postgresql --seconds 5 \
		--systems offload,celery-django,dramatiq-row,dramatiq-django,procrastinate,dramatiq
	$(BENCH)/bin/python -m bench.api --database sqlite --seconds 5 --systems offload,dramatiq-row
	$(BENCH)/bin/python -m bench.drain --database postgresql --seconds 4 \
		--systems offload,celery-django,dramatiq-django,procrastinate,django-tasks-db,django-q2
	$(BENCH)/bin/python -m bench.drain --database sqlite --seconds 4 \
		--systems offload,celery-django,dramatiq-django,django-tasks-db,django-q2
	$(BENCH)/bin/python -m bench.pickup --database postgresql --jobs 200 \
		--systems offload,offload-media,celery-django,dramatiq-row,procrastinate,huey
	$(BENCH)/bin/python -m bench.pickup --database sqlite --jobs 200 --systems offload,offload-media
	$(BENCH)/bin/python -m bench.report

bench-guard: $(BENCH)/installed ## measure this code beside a commit before it (BASE=…), and fail if it is slower (10 minutes at most)
	$(BENCH)/bin/python -m bench.guard --base $(or $(BASE),$(error Name the commit to compare with: make bench-guard BASE=<commit>))

install: $(VENV)/dev.installed ## make .venv and install what running and testing need

clean: ## remove .venv, caches and node_modules; var/ (your data) stays
	rm -rf $(VENV) $(BENCH) $(AUDIT) node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find accounts config jobs tests -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/base.installed: requirements/base.txt $(NEW_VENV)
	@echo "Installing what Offload needs into $(VENV) (a minute or two, only after a change) …"
	@$(PIP) -r requirements/base.txt
	@touch $@

# The systems for comparison stay out of .venv: what is tested is what runs.
$(BENCH)/installed: requirements/bench.txt $(VENV)/dev.installed
	@echo "Installing what the benches need into $(BENCH) …"
	@$(PYTHON) -m venv --clear $(BENCH)
	@$(BENCH)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/bench.txt
	@touch $@

$(AUDIT)/installed: requirements/audit.txt $(VENV)/base.installed
	@echo "Installing what audit and SBOM need into $(AUDIT) …"
	@$(PYTHON) -m venv --clear $(AUDIT)
	@$(AUDIT)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/audit.txt
	@touch $@

# Everything of base.txt is in dev.txt too, at the same versions.
$(VENV)/dev.installed: requirements/dev.txt $(NEW_VENV)
	@echo "Installing what Offload and its tests need into $(VENV) (a minute or two, only after a change) …"
	@$(PIP) -r requirements/dev.txt
	@touch $@ $(VENV)/base.installed

venv:
	@[ -w . ] || { echo "This folder can't be written ($(CURDIR)): clone Offload into one that can." >&2; exit 1; }
	@for python in python3.13 python3.12 python3.11 python3 python; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		found=$$python; \
		"$$python" -c 'import ensurepip, venv' 2>/dev/null || continue; \
		echo "Making $(VENV) with $$("$$python" --version) …"; \
		exec "$$python" -m venv --clear $(VENV); \
	done; \
	if [ "$$found" ]; then \
		echo "$$($$found --version) lacks its venv module: install it (Debian, Ubuntu: apt install python3-venv), then run make again." >&2; \
	else \
		echo "Offload needs Python 3.11 or newer, and none is on the PATH: install one, then run make again." >&2; \
	fi; \
	exit 1
