# Each target sets up what it needs from a fresh checkout.

PYTHON ?= python3
PORT ?= 8470
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest
WINDOWS := agent/session/pipes.py agent/session/tokens.py agent/session/user32.py agent/session/windows.py agent/windows_*.py agent/host/windows*.py agent/host/this_machine.py agent/disk/windows*.py agent/limits.py
UNIT := -m "not browser and not netns and not slow and not soak and not container"
# What starts whole programs, browsers, networks and machines has this one to itself.
WHOLE := -m "(browser or netns or slow or container) and not soak"

.PHONY: help setup system run demo smoke test check soak bench eval signals screenshots packages clean

help:
	@echo "setup   Python environment in .venv (every other target does it too)"
	@echo "system  Debian packages for the browser and remote-session tests (needs root)"
	@echo "run     collector on http://127.0.0.1:$(PORT), this machine enrolled and reporting"
	@echo "demo    the same with an invented fleet: every page has something to show"
	@echo "smoke   one real report of this machine, its assessment as JSON"
	@echo "test    everything; says what it skipped and why"
	@echo "check   format, lint, types, import contracts, unit tests"
	@echo "soak    the long kill, fuzz and load loops"
	@echo "bench   the benchmark table"
	@echo "eval    how often it is right, on the data that FARHAND_EVAL_DATA leads to (docs/accuracy.md)"
	@echo "screenshots  the pictures of the README, of the fleet of make demo"
	@echo "signals docs/signals.md, written anew out of the program"
	@echo "packages  wheels, .deb, .rpm and (with a Python for Windows) .msi in dist/ (packaging/README.md)"
	@echo "clean   remove .venv and var"

setup: $(READY)

$(READY): pyproject.toml
	@echo "setting up $(VENV) …" >&2
	@$(PYTHON) -m venv $(VENV) >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[collector,test]" >&2
	@$(BIN)/python -m compileall -q agent collector >&2
	@touch $(READY)

system:
	@packaging/dev/system-packages.sh

run: $(READY)
	@$(BIN)/python -m collector.quickstart --port $(PORT)

demo: $(READY)
	@$(BIN)/python -m collector.demo --port $(PORT)

smoke: $(READY)
	@$(BIN)/python -m collector.quickstart --smoke

test: $(READY) system
	@$(MAKE) --no-print-directory lint
	@$(PYTEST) $(UNIT) --numprocesses auto
	@$(PYTEST) $(WHOLE)

check: $(READY)
	@$(MAKE) --no-print-directory lint
	@$(PYTEST) $(UNIT) -q --numprocesses auto

.PHONY: lint
lint: $(READY)
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32 --follow-imports silent $(WINDOWS)
	@$(BIN)/deptry . >/dev/null || $(BIN)/deptry .

soak: $(READY)
	@$(PYTEST) -m soak --timeout 3600 -o log_cli=true

bench: $(READY)
	@$(BIN)/python -m tests.bench

signals: $(READY)
	@$(BIN)/python -m agent.dictionary > docs/signals.md

eval: $(READY)
	@$(BIN)/python -m tests.accuracy

packages: $(READY)
	@$(BIN)/python packaging/build.py

screenshots: $(READY)
	@FARHAND_SCREENSHOTS=docs/images $(PYTEST) -q tests/collector/web/test_browser.py -k pictures

clean:
	rm -rf $(VENV) var
