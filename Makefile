# What each target runs is one line that the README gives for Windows too.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PY := .venv/bin/python
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
# pip compiles nothing (18,000 files, most never used): what is imported is compiled once, and
# kept even where the environment says not to. Else each of the many processes that tests
# start compiles anew: torch, scipy, mne and scikit-learn take 10 s of a core instead of 3.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: install demo browser test check benchmarks wheelhouse screenshot clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "braincast needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq python3-venv; } \
	  || { echo "Python lacks venv; on Debian: sudo apt-get install python3-venv"; exit 2; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install -q --disable-pip-version-check --no-compile -c constraints.txt torch
	$(PY) -m pip install -q --disable-pip-version-check --no-compile -c constraints.txt -e '.[preview,meg,test]'
	@touch $@

demo: install
	.venv/bin/braincast demo

# The browser of the page's tests; without root they are skipped, and say so.
browser:
	@command -v chromium >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 \
	  && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core fonts-liberation fonts-noto-color-emoji >/dev/null; } \
	  || echo "no chromium here: the tests of the page will be skipped"

check: install
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports --no-cache

test: check browser
	$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 -m "not gpu"

benchmarks: install
	$(PY) -m benchmarks

# For machines without internet and of this kind: pip install --no-index --find-links wheelhouse 'braincast[preview,meg]'
wheelhouse: install
	$(PY) -m pip wheel -q --disable-pip-version-check -w wheelhouse -c constraints.txt torch
	$(PY) -m pip wheel -q --disable-pip-version-check -w wheelhouse --find-links wheelhouse -c constraints.txt '.[preview,meg]'

screenshot: install browser
	$(PY) -m docs.screenshot

clean:
	rm -rf .venv wheelhouse .mypy_cache .ruff_cache .pytest_cache .hypothesis
