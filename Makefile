# Every target does the set-up it needs. `make help` lists them.
# The newest tested python3.x (3.11 to 3.13) that can make a virtual environment is picked; PYTHON=… overrides.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup native run call test check bench fuzz generate clean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NATIVE := runtime/media/native
LISTEN ?=
API ?=
PEERS ?= optional
WORKERS ?= auto
MINUTES ?= 10
ARGS ?=

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with everything that the other targets need

$(READY): pyproject.toml
	@py="$(PYTHON)"; usable='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'; \
	if [ -n "$$py" ]; then "$$py" -c "$$usable" 2>/dev/null || { \
	  echo "PYTHON=$$py cannot be used: dialplane needs Python >= 3.11 with its venv module."; exit 1; }; \
	else for v in 3.13 3.12 3.11 3; do \
	  if python$$v -c "$$usable" 2>/dev/null; then py=python$$v; break; fi; \
	done; fi; \
	if [ -z "$$py" ]; then \
	  echo "dialplane needs Python >= 3.11 with its venv module, and none was found."; \
	  echo "  Debian, Ubuntu:  sudo apt-get install python3 python3-venv"; \
	  echo "  Fedora:          sudo dnf install python3"; \
	  echo "  macOS:           brew install python"; \
	  echo "Or name one:       make setup PYTHON=/path/to/python3.11"; exit 1; fi; \
	: "a leftover of an interrupted or older set-up is made anew"; \
	$(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || rm -rf $(VENV); \
	[ -x $(BIN)/python ] || "$$py" -m venv $(VENV) || exit 1; \
	echo "setting up $(VENV) with $$($(BIN)/python --version), about half a minute"; \
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' && \
	$(BIN)/python -m pip install --quiet --editable . --group dev && touch $(READY)

# Set-up does not: it would fetch crates and compile for a minute, for what nothing needs.
# PyO3 asks this Python; the module it makes is for every one from 3.11 on. It is moved into place whole: a bridge may run by the one before.
native: $(READY) ## build the native media core in Rust, for more calls on a core (Linux; needs cargo)
	@command -v cargo >/dev/null || { echo "cargo was not found."; \
	  echo "  Debian, Ubuntu:  sudo apt-get install cargo, or https://rustup.rs where that is older than Rust 1.85"; exit 1; }
	DIALPLANE_SOURCES="$$($(BIN)/python -c 'from runtime import native; print(native.sources("runtime.media.native"))')" \
	PYO3_PYTHON="$(CURDIR)/$(BIN)/python" cargo build --quiet --release --locked --manifest-path $(NATIVE)/Cargo.toml --target-dir build/native
	@cp build/native/release/libcompiled.so $(NATIVE)/compiled.new && mv -f $(NATIVE)/compiled.new $(NATIVE)/compiled.abi3.so
	@$(BIN)/python -c 'from runtime.media import native; print("the media core in force:", native.state)'

run: $(READY) ## answer calls on this machine by the first example (LISTEN="udp://127.0.0.1:5070 tcp://127.0.0.1:5070", API=127.0.0.1:8090 for other ports)
	@$(BIN)/bridge up $(foreach listener,$(LISTEN),--listen $(listener)) $(if $(API),--api $(API)) $(ARGS)

call: $(READY) ## place a test call to `make run` and say in words what was heard
	@$(BIN)/bridge call $(if $(LISTEN),--via $(firstword $(LISTEN))) $(ARGS)

test: $(READY) ## all tests; PEERS=required makes a missing peer a failure
	PEERS=$(PEERS) $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup $(ARGS)

check: $(READY) ## ruff, mypy --strict, import-linter, generated files fresh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m schemas.publish --check
	$(BIN)/python -m schemas.reference --check
	$(BIN)/python -m tests.bench.results --check

generate: $(READY) ## write what is generated anew: schemas/published and schemas/reference.md from the models, quoted figures from the last bench
	$(BIN)/python -m schemas.publish
	$(BIN)/python -m schemas.reference
	$(BIN)/python -m tests.bench.results

bench: $(READY) ## measure, each figure beside its reference, into tests/bench (ARGS="route setups": only these)
	@$(BIN)/python -m tests.bench.run $(ARGS)

fuzz: $(READY) ## every parser under Atheris, MINUTES=10 each (ARGS="sdp rtp": only these)
	@$(BIN)/python -m pip install --quiet --group fuzz
	@nice -n 15 $(BIN)/python -m tests.fuzz.run --minutes $(MINUTES) $(ARGS)

clean: ## remove .venv and what the tools left
	rm -rf $(VENV) $(NATIVE)/compiled.abi3.so build .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
