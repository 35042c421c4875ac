# make demo    set up and run the main job end to end
# make install set up only (.venv, pinned by constraints.txt)
# make test    set up and run everything that CI runs
# make check   ruff, mypy --strict, import-linter
# make browser Chromium and a Chinese font for the browser tests, where missing (root, Debian)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
KERNELS := $(VENV)/.kernels
PACKAGES := features models training scoring pipelines
SOURCES := $(shell find $(PACKAGES) -name '*.py')

.PHONY: install demo test check browser clean

install: $(STAMP) $(KERNELS)

# Numba's cache does not see that a function called from another file has changed.
$(KERNELS): $(STAMP) $(SOURCES)
	@find $(PACKAGES) -name '*.nbi' -delete -o -name '*.nbc' -delete
	@touch $(KERNELS)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("winback needs Python 3.11 or newer, found " + sys.version.split()[0] + ". Fix: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: install
	$(BIN)/winback demo

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

browser:
	@.ci/browser

test: check browser
	$(BIN)/python -m pytest

clean:
	rm -rf $(VENV) winback-demo winback-demo-*
