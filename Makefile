# Carillon's commands. Each sets up what it needs; nothing but make and Python 3.11 or newer must
# be there. PYTHON chooses the interpreter for .venv, ARGS goes to the command that is run.

PY := .venv/bin/python
# First match wins; each is asked for its version.
CANDIDATES := $(or $(PYTHON),python3 python3.11 python3.12 python3.13 python3.14 python)
PIP := $(PY) -m pip --disable-pip-version-check --quiet
CODE := project notifications channels_app tests manage.py

# What the environment says about indexes stays out of the lock files.
LOCK := env PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= PIP_EXTRA_INDEX_URL= \
	CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m piptools compile --quiet --generate-hashes \
	--strip-extras --allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help setup run worker demo test lint format bench lock

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/dev.stamp ## Make .venv with everything that running, testing and linting need

run: .venv/run.stamp ## Run web and workers with the demo: PORT, DATABASE_URL, REDIS_URL, CARILLON_DATA
	@exec $(PY) manage.py run --demo --parent $$PPID $(ARGS)

worker: .venv/run.stamp ## Run workers alone
	@exec $(PY) manage.py worker --parent $$PPID $(ARGS)

demo: .venv/run.stamp ## Make the demo and print how to get in
	@$(PY) manage.py prepare
	@$(PY) manage.py demo $(ARGS)

# All of them on all cores, a file's tests in one process; ARGS="-k chat" picks some instead.
test: .venv/dev.stamp ## Run the tests: on SQLite, or where DATABASE_URL and REDIS_URL point
	@$(PY) -m pytest $(or $(ARGS),--numprocesses=auto --dist=loadfile)

lint: .venv/dev.stamp ## Check style, format, types and migrations
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy $(CODE)
	$(PY) manage.py makemigrations --check --dry-run

format: .venv/dev.stamp ## Format the code
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

bench: .venv/dev.stamp ## Measure the dispatch engine
	@$(PY) -m tests.bench $(ARGS)

lock: .venv/dev.stamp ## Pin all dependencies anew, by pyproject.toml
	$(LOCK) --upgrade --output-file requirements.txt pyproject.toml
	$(LOCK) --upgrade --extra dev --constraint requirements.txt \
		--output-file requirements-dev.txt pyproject.toml

.venv/run.stamp: requirements.txt | $(PY)
	@echo "Installing what Carillon needs."
	@$(PIP) install --require-hashes -r requirements.txt
	@touch $@

# It holds all of requirements.txt as well.
.venv/dev.stamp: requirements-dev.txt | $(PY)
	@echo "Installing what Carillon and its tests need."
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch .venv/run.stamp $@

$(PY):
	@for python in $(CANDIDATES); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			found=$$python; break; \
		fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Carillon needs Python 3.11 or newer; none of these is: $(CANDIDATES)" >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; \
		exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$found can't make a virtual environment. On Debian and Ubuntu:" >&2; \
		echo "apt-get install python3-venv" >&2; \
		exit 1; \
	fi; \
	echo "Making .venv with $$("$$found" --version)."; \
	"$$found" -m venv --clear .venv
