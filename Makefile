# Two commands for people: `make run` and `make test`. Everything they need they install themselves.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COMPILED := .venv-compiled
COMPILED_TESTS := tests/unit/wire tests/unit/gateway tests/unit/odoo tests/gateway tests/hostile/test_corpus.py tests/hostile/test_requests.py \
  tests/hostile/test_responses.py tests/hostile/fuzz tests/odoo/test_sign_in.py \
  --ignore tests/unit/odoo/signed_in/test_session_filter.py --ignore tests/unit/gateway/test_context.py \
  --deselect tests/unit/gateway/test_request_handler.py::test_nobody_waits_for_ever_for_a_database_that_says_nothing \
  --deselect tests/unit/gateway/test_opening.py::test_while_a_visit_can_not_be_ended_nobody_is_kept_waiting_for_that \
  --deselect tests/unit/odoo/bus/test_bus_socket.py::test_who_is_about_to_lose_the_link_is_warned_once

# A fresh checkout would be compiled anew by each of the hundreds of processes that tests start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run quick test test-odoo coverage check test-compiled wheel lock bench bench-short texts docs screenshots clean help

help:
	@echo "make run    start Guestpass with a sample application and two links"
	@echo "make quick  within a minute: what make check does, and the tests that need no server, browser or application"
	@echo "make test   formatting, lint, types, import rules and every test"
	@echo "make test-odoo SOURCE=path/to/odoo  the tests of Odoo on a real one, made from a source tree"
	@echo "make coverage  the unit tests, and what they do not reach; what they do has a floor"
	@echo "make check  the same without the tests"
	@echo "make wheel  a wheel for this machine with the gateway compiled, in dist/, once its tests have passed"
	@echo "make bench  speed, side by side with what one would use instead; make bench-short for two minutes of it"
	@echo "make lock   renew the pinned requirements"
	@echo "make docs   the documentation as pages, in build/site"
	@echo "make screenshots  the pictures in the documentation, taken of the product as it is"
	@echo "make texts  bring the catalogues of translations in line with what the code says"

run: $(VENV)/run.stamp
	@exec $(BIN)/python -m examples.demo

# Without what Hypothesis tries, which `make test` has.
quick: check
	@$(BIN)/python -m pytest -q -n auto --dist worksteal -m "not slow and not browser and not applications and not hypothesis" tests/unit tests/suite tests/docs

# Unit tests come first and apart: they say soonest what is wrong, and what they reach has a floor (pyproject.toml).
#
# Files in the order of tests/conftest.py, folder by folder: xdist would begin with those of most tests, which starts the
# servers of every folder at once and leaves the browsers, few tests and long ones, to one worker at the end.
test: check coverage
	@$(BIN)/python tests/install_applications.py
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations 30 --ignore tests/unit

# On a real Odoo what `make test` runs on the double: each version of 16 to 20 of which there is a tree.
test-odoo: $(VENV)/dev.stamp
	@test -n "$(SOURCE)" || { echo "Name a source tree of Odoo: make test-odoo SOURCE=path/to/odoo"; exit 1; }
	@scripts/odoo test $(SOURCE)

coverage: $(VENV)/dev.stamp
	@mkdir -p build
	@rm -f build/coverage build/coverage.*
	@$(BIN)/python -m coverage run -m pytest -q -n auto --dist worksteal tests/unit
	@$(BIN)/python -m coverage combine -q
	@$(BIN)/python -m coverage report

# What the wire sees, once more with the compiled gateway; no wheel is made where it fails. It takes three minutes, which is
# why it is no part of `make test`. Left out is what puts mocks where the compiled gateway wants its own classes,
# or shortens a time that is compiled in.
test-compiled: $(COMPILED)/stamp
	@$(COMPILED)/bin/guestpass --version | grep -qF "(gateway compiled)"
	@$(COMPILED)/bin/python -m pytest -n auto --dist loadfile $(COMPILED_TESTS)

check: $(VENV)/dev.stamp
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/dev.stamp
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench odoo

bench-short: $(VENV)/dev.stamp
	@$(BIN)/python -m bench --short

wheel: test-compiled
	@mkdir -p dist
	@cp build/compiled/*.whl dist/
	@ls dist/*.whl

lock:
	@for set in run dev; do \
	  $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header --quiet --group $$set pyproject.toml -o requirements/$$set.txt; \
	done
	@$(BIN)/uv pip compile --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --quiet requirements/odoo.in -o requirements/odoo.txt
	for set in jupyterlab bench; do \
	  $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header --quiet requirements/$$set.in -o requirements/$$set.txt; \
	done

texts: $(VENV)/dev.stamp
	@mkdir -p build
	@$(BIN)/pybabel -q extract -F pyproject.toml --no-default-keywords -k mark -k translate -k translate_count:1,2 -k mark_count:1,2 \
	  --no-location -o build/texts.pot src
	@for file in src/guestpass/languages/locale/*.po; do \
	  $(BIN)/pybabel -q update -i build/texts.pot -o $$file -l $$(basename $$file .po) --no-wrap \
	    --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date; \
	done

docs: $(VENV)/dev.stamp
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "The documentation is in build/site/index.html."

screenshots: $(VENV)/dev.stamp
	@$(BIN)/python tests/install_applications.py
	@$(BIN)/python -m tests.docs.pictures

clean:
	rm -rf $(VENV) .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

$(VENV)/run.stamp: requirements/run.txt pyproject.toml scripts/install
	@scripts/install $(PYTHON) $(VENV) run
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml scripts/install
	@scripts/install $(PYTHON) $(VENV) dev
	@touch $@ $(VENV)/run.stamp

$(COMPILED)/stamp: $(VENV)/dev.stamp scripts/compile $(shell find src -name '*.py')
	@scripts/compile $(VENV) build/compiled
	@scripts/install $(BIN)/python $(COMPILED) dev build/compiled/*.whl
	@touch $@
