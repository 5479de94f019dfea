# Everything that a person needs, one target each; `make help` lists them.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Here a change counts at once; where CI is set, what is tested is what people install, a wheel.
READY := $(VENV)/$(if $(CI),.wheel,.test)
PROXY := $(VENV)/proxy/node_modules/.bin/configurable-http-proxy
SPREAD := -n 4 --dist loadfile --no-loadscope-reorder
# Dozens of processes read the same modules: compile them once, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=
NBVAL := $(BIN)/pytest --nbval --nbval-cell-timeout=300 --nbval-sanitize-with=tests/nbval-sanitize.cfg

.PHONY: help demo class lab test unit browsers heavy notebooks coverage outputs docs browser proxy postgres lint format bench torture sheets dino build wheel-check lower-bounds binder-check clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.lab  ## a real clip and the quickstart notebook, executed, with no key
	$(BIN)/vidu-nb demo demo

class: $(VENV)/.test  ## a gateway with three people and play money, to try it: prints its address and tokens, Ctrl-C ends it
	$(BIN)/python docs/class.py

lab: $(VENV)/.lab  ## JupyterLab on the example notebooks
	$(BIN)/jupyter lab --notebook-dir=notebooks

test: lint unit browsers heavy  ## all checks: style, types, unit tests, real HTTP, real browser, every notebook

# A few files load the machine for minutes, as the notebooks do: they run together.
HEAVY := tests/client/test_torture.py tests/client/test_torture_record.py tests/films/test_torture_film.py \
  tests/client/test_mutations.py tests/commands/test_demo.py tests/gateway/test_hub_real.py \
  tests/gateway/test_gateway_torture.py tests/test_marimo_browser.py

# A browser, JupyterLab and its kernels want a core, and wait for each other: a few more of them than there are cores here.
# The files that take longest begin first, so that no worker is left with one of them at the end.
LONGEST := $(foreach name,keys heights,tests/panels/test_panel_$(name)_browser.py) tests/panels/test_panel_browser.py
BROWSERS := $(filter-out $(HEAVY),$(LONGEST) $(filter-out $(LONGEST),$(wildcard tests/*_browser.py tests/*/*_browser.py)))

unit: $(READY) browser postgres
	$(BIN)/pytest -q -p no:nbval $(SPREAD) $(HEAVY:%=--ignore=%) $(BROWSERS:%=--ignore=%) tests/ --pyargs vidu_nb

browsers: $(READY) browser
	$(BIN)/pytest -q -p no:nbval $(subst -n 4,-n 3,$(SPREAD)) $(BROWSERS)

heavy: $(READY) browser proxy postgres
	$(NBVAL) -q $(SPREAD) notebooks $(HEAVY)

notebooks: $(READY)  ## every notebook's outputs, compared with what is stored in it
	$(NBVAL) -q $(SPREAD) notebooks

coverage: $(VENV)/.test browser postgres  ## which lines the unit tests run, in every process that they start
	rm -f .coverage.*
	$(BIN)/coverage run -m pytest -q $(SPREAD) $(HEAVY:%=--ignore=%) tests/ --pyargs vidu_nb
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

outputs: $(VENV)/.test  ## run every notebook and store its outputs
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --log-level=WARN notebooks/*.ipynb
	$(BIN)/python notebooks/tidy.py notebooks/*.ipynb

docs: $(VENV)/.test  ## the page of Python names and the drawing of the layers, from the docstrings
	$(BIN)/python docs/reference.py
	PYTHONPATH=tests $(BIN)/python tests/test_layers.py

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python notebooks/tidy.py --check notebooks/*.ipynb

format: $(VENV)/.test  ## let ruff arrange the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.test .venv-moviepy/.ready  ## performance figures, as ratios of medians
	$(BIN)/python -m benchmarks

torture: $(VENV)/.test  ## thousands of faulted calls, kills and races; prints the ledger (about forty minutes)
	$(BIN)/python tests/torture.py
	$(BIN)/python tests/torture_record.py
	$(BIN)/python tests/torture_film.py
	$(BIN)/python tests/torture_gateway.py
	$(BIN)/python tests/torture_gateway.py --postgres --gateways 2

sheets: $(VENV)/.test  ## contact sheets of thirteen previews in three ratios, to be looked at
	$(BIN)/python docs/sheets.py sheets

dino: $(VENV)/.test  ## the test of what needs torch and transformers: several gigabytes, so not a part of test
	$(INSTALL) --editable '.[dino]'
	$(BIN)/pytest -q tests/dino_extra.py

build: $(VENV)/.test  ## the wheel
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

# TESTS=tests runs everything there; by default it is a fast part.
wheel-check: | $(BIN)/python  ## the wheel in an empty environment: demo, lab, tests out of the source archive
	$(BIN)/python tests/environments/check_wheel.py $(TESTS)

lower-bounds: | $(BIN)/python  ## the tests with the oldest dependencies that pyproject.toml allows
	$(BIN)/python tests/environments/check_bounds.py $(TESTS)

binder-check: $(VENV)/.test browser  ## what Binder would build, built and opened in a browser, without Docker
	$(BIN)/python tests/environments/check_binder.py

# The tests drive a Chromium, ask ffprobe about every clip, make a certificate with openssl, and run what the panel copies with
# curl. Where this is Debian and we are root, what is missing gets installed; elsewhere the tests say so.
browser:
	@for program in chromium ffprobe openssl curl; do command -v $$program >/dev/null || missing=1; done; \
	if [ "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium ffmpeg openssl curl >/dev/null; fi

# JupyterHub's proxy is a program of Node's: the test with a real hub starts it.
proxy: | $(BIN)/python
	@if ! command -v npm >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null; fi
	@if command -v npm >/dev/null; then [ -x $(PROXY) ] || npm install --silent --no-package-lock --no-audit --no-fund \
		--prefix $(VENV)/proxy configurable-http-proxy@~5.1 >/dev/null; fi

# Several gateways share a PostgreSQL, which the tests start on a port of its own; without it they are skipped, but not where
# everything has to be tested.
postgres:
	@if [ "$$CI" ] && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql >/dev/null; fi

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# moviepy wants an older Pillow: it is only ever run beside us, in an environment of its own.
.venv-moviepy/.ready:
	$(PYTHON) -m venv .venv-moviepy
	.venv-moviepy/bin/pip install --quiet --disable-pip-version-check moviepy==2.2.1 "opencv-python-headless>=5"
	@touch $@

$(VENV)/.lab: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[lab]'
	@rm -f $(VENV)/.wheel; touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[test]'
	@rm -f $(VENV)/.wheel; touch $@ $(VENV)/.lab

$(VENV)/.wheel: pyproject.toml constraints.txt $(shell find vidu_nb -name '*.[cjpt][soy]*' -not -name '*.pyc') $(wildcard notebooks/*.ipynb) | $(BIN)/python
	$(INSTALL) '.[test]'
	@rm -f $(VENV)/.lab $(VENV)/.test; touch $@

clean:  ## remove what was made here, but neither notebooks nor kept clips
	rm -rf build dist demo .mypy_cache .pytest_cache .ruff_cache $(VENV)
