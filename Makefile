# The names a newcomer needs. `make` alone explains them.

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
RABBITMQ := rabbitmq-server=rabbitmq-server
HAPROXY := haproxy=haproxy
CHROMIUM := chromium=chromium
REDOCLY := 2.77.0
ASYNCAPI := 3.6.3
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help run test check chaos bench docs asyncapi-lint openapi-lint clean system-run system-test

help: ## Show this
	@printf '\n  \033[1mWarren\033[0m: chat services on RabbitMQ\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[36mmake %-12s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n  After the first run the command is \033[1m$(BIN)/warren\033[0m (try --help).\n\n'

run: system-run .venv/.run ## Start everything on this machine; Ctrl-C stops it (ARGS="--gateways 3 --balancer")
	@exec $(BIN)/warren up $(ARGS)

test: system-test .venv/.dev ## Run all tests on a real broker and a real store (ARGS="-k name")
	@exec $(BIN)/python -m pytest -m "not chaos" -n 2 --dist loadgroup $(ARGS)

check: .venv/.dev ## Lint, formatting, types, import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

chaos: system-test .venv/.dev ## Run the faults in full counts (long)
	@exec $(BIN)/python -m pytest tests/chaos -m chaos $(ARGS)

bench: system-run .venv/.bench ## Measure beside the raw broker and show where the time goes (ARGS="--only fanout")
	@exec $(BIN)/python -m bench $(ARGS)

docs: .venv/.dev ## Write what docs/ says of the contracts, from the contracts
	@$(BIN)/python scripts/docs.py

asyncapi-lint: ## Check docs/asyncapi.yaml with the official parser from npm (needs Node.js and the net)
	@mkdir -p build/npm && npm install --silent --no-fund --no-audit --prefix build/npm @asyncapi/parser@$(ASYNCAPI)
	@node scripts/asyncapi-lint.mjs build/npm docs/asyncapi.yaml

openapi-lint: .venv/.dev ## Check the OpenAPI documents with a linter from npm (needs Node.js and the net)
	@mkdir -p build && for service in gateway dlq_monitor; do \
	  $(BIN)/python scripts/openapi.py $$service > build/$$service.json || exit 1; done
	@REDOCLY_TELEMETRY=off npx --yes @redocly/cli@$(REDOCLY) lint --config scripts/redocly.yaml \
	  build/gateway.json build/dlq_monitor.json

clean: ## Remove what was built and installed here; messages under .warren stay
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

system-run:
	@scripts/system-packages.sh $(RABBITMQ) $(if $(findstring --balancer,$(ARGS)),$(HAPROXY))

system-test:
	@scripts/system-packages.sh $(RABBITMQ) $(HAPROXY) $(CHROMIUM)

.venv/bin/python:
	@scripts/venv.sh

.venv/.run: pyproject.toml constraints.txt | .venv/bin/python
	@echo 'Installing what Warren needs into .venv (the first time, about a minute) …'
	@$(PIP) --editable '.[local]'
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	@echo 'Installing what Warren and its tests need into .venv (the first time, about a minute) …'
	@$(PIP) --editable '.[local,dev]'
	@touch .venv/.run $@

.venv/rust: | .venv/bin/python # The embedded store's build in Rust, for bench.stores only; needs cargo.
	cargo install secantus-mdb --version 0.5.3-beta.193 --ignore-rust-version --root $@

.venv/.bench: pyproject.toml constraints.txt | .venv/bin/python
	@echo 'Installing what Warren and its benchmark need into .venv (the first time, about a minute) …'
	@$(PIP) --editable '.[local,bench]'
	@touch .venv/.run $@
