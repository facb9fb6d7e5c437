# Every target makes .venv first, installs the project into it under constraints.txt, and works there.
# A later run starts at once, until pyproject.toml or constraints.txt changes.  `make lowest` does the same
# in .venv-lowest, under constraints-lowest.txt.

VENV ?= .venv
CONSTRAINTS ?= constraints.txt
JOBS ?= 2
ARGS ?=

# constraints.txt was made with Python 3.11, so that one comes first; PYTHON=... names another.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# Each worker has a row of neighbours, which share what is imported and compiled; who is done takes over some.
PYTEST = $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Of what is installed a small part is ever imported, and compiled then.
PIP = $(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile -c $(CONSTRAINTS)

.DEFAULT_GOAL := help
.PHONY: help check test lint types tests slow lowest browser coverage score format docs pages performance \
	fieldguide build clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1 \t/p' Makefile | expand -t 20
	@echo "  Variables: PYTHON (3.11 or newer), VENV=$(VENV), JOBS=$(JOBS), ARGS (for the tool that is run)"

check: $(READY)  ## hold every backend installed here to the definition, with a table
	@$(BIN)/adamcore check $(ARGS)

test: lint types tests  ## what has to pass before a commit: style, types and tests

lint: $(READY)  ## style alone (ruff)
	@echo "==> ruff"
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(READY)  ## types alone (mypy --strict, tests, examples and benchmarks too)
	@echo "==> mypy --strict"
	@$(BIN)/mypy adamcore tests examples benchmarks docs/generate fieldguide

tests: $(READY)  ## tests alone, without the slow ones
	@echo "==> pytest"
	@$(PYTEST) $(ARGS)

slow: $(READY)  ## the slow tests
	@$(PYTEST) -m slow $(ARGS)

lowest:  ## the tests, with the lowest version that pyproject.toml allows of every dependency
	@$(MAKE) --no-print-directory tests VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt

browser: docs  ## the site, the HTML report and the interactive page as people see them, in headless Chromium
	@command -v $${CHROMIUM:-chromium} >/dev/null || command -v google-chrome >/dev/null || { \
		echo "no Chromium here: apt-get install chromium poppler-utils, or CHROMIUM=/its/path" >&2; exit 1; }
	@SITE=$${SITE:-build/site} $(BIN)/python -m pytest -m browser tests/conformance/report/test_html_in_browser.py \
		tests/docs/test_interactive_in_browser.py tests/docs/test_site_in_browser.py $(ARGS)

score: $(READY)  ## docs/score.md: wrong Adams killed and named, right ones passed (some minutes; a run that was broken off goes on)
	@$(BIN)/python docs/generate/score_page.py $(ARGS)

coverage: $(READY)  ## the tests again, with the lines and branches that none of them runs
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(ARGS)
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

format: $(READY)  ## let ruff put the style right
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

docs: $(READY)  ## the site, in build/site: it needs no network, neither here nor where it is read
	@$(BIN)/python docs/generate/build_site.py -j $(JOBS) $(ARGS)

pages: $(READY)  ## the parts of docs/ that code writes: equations.md, freeze.svg, scale.md, interactive/, pictures/, results in README.md
	@$(BIN)/python docs/generate/equations_page.py
	@$(BIN)/python docs/generate/freeze_plot.py
	@$(BIN)/python docs/generate/learning_plot.py
	@$(BIN)/python docs/generate/scale_page.py
	@$(BIN)/python docs/generate/interactive_page.py
	@$(BIN)/python docs/generate/explanations.py
	@$(BIN)/python docs/generate/anatomy_drawing.py
	@$(BIN)/python docs/generate/terminal_pictures.py
	@$(BIN)/python docs/generate/readme_results.py

performance: $(READY)  ## docs/performance.md, from the runs stored in docs/results/
	@$(BIN)/python docs/generate/performance_page.py

fieldguide: $(READY)  ## docs/field-guide/ and the README's row: other people's Adams measured, those not measured yet (an hour)
	@$(BIN)/python -m fieldguide -j $(JOBS) $(ARGS); status=$$?; \
	$(BIN)/python docs/generate/field_guide_pages.py && exit $$status

build: $(READY)  ## the sdist, and the wheel built from it, in dist/
	@$(BIN)/python -m build --no-isolation

clean:  ## everything that make has made
	rm -rf $(VENV) .venv-lowest build dist adamcore.egg-info .mypy_cache .pytest_cache .ruff_cache .coverage*

$(READY): pyproject.toml $(CONSTRAINTS)
	@test -n "$(PYTHON)" || { echo "adamcore needs Python 3.11 or newer, and none is on PATH: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; v < (3, 11) and sys.exit("adamcore needs Python 3.11 or newer; $(PYTHON) is %d.%d" % v[:2])'
	@test -x $(BIN)/pip || { echo "==> $(VENV), with `$(PYTHON) --version`"; $(PYTHON) -m venv $(VENV); }
	@echo "==> installing into $(VENV) (the first time takes minutes: torch and jax are large)"
	@$(PIP) pip setuptools
	@$(PIP) --no-build-isolation -e '.[test]'
	@touch $@
