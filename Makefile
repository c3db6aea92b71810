# `make demo` and `make test` need Python 3.11 or newer, make, and nothing else.

PORT ?= 8000
PYTEST ?=
VAR ?= var
PY := .venv/bin/python

.PHONY: demo test check story lock clean venv

demo: venv ## the whole site on this machine, with a living market, until Ctrl-C
	@exec $(PY) -m marketplace.ops.demo --var $(VAR) --port $(PORT)

test: venv ## the whole suite against embedded services, in parallel
	@exec $(PY) -m marketplace.ops.embedded --var $(VAR)/test --fast --template -- \
		$(PY) -m pytest -n logical $(PYTEST)

check: venv ## everything that can be said without running the suite
	@exec $(PY) -m marketplace.ops.check

story: venv ## three lots from photo to verified certificate, over HTTP
	@exec $(PY) -m marketplace.ops.stack --var $(VAR)/story --join $(VAR) -- \
		$(PY) -m tests.story

lock: venv ## write exact versions and hashes of what pyproject.toml asks for
	@exec .venv/bin/uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url \
		--universal --python-version 3.11 --quiet --custom-compile-command "make lock" -o requirements.lock

clean: ## forget the market, the environment and every cache
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@if [ -L $(VAR)/postgresql ]; then rm -rf "$$(readlink $(VAR)/postgresql)"; fi
	@rm -rf $(VAR)

# The stamp is a copy of the lock, so that a checkout that only touches the file installs nothing.
venv:
	@cmp -s requirements.lock .venv/installed.lock || sh marketplace/ops/install.sh
