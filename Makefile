# Every target does its own set-up: it needs Python >= 3.11 (with venv and headers), a C compiler and make, nothing else.
#
#   make demo  [RECIPIENTS=20000]      the main job on real parts, from import to report
#   make up                            API and workers as one process tree, until Ctrl-C
#   make test  [TESTS="tests/core"]    lint and tests          make test-only: the tests alone
#   make fuzz  [TIMES=50]              the fuzz tests for longer, with other inputs each time
#   make sanitize [TESTS="tests/fuzz"] the engine's tests on a build with AddressSanitizer and UBSan (GCC)
#   make bench [NAME=campaign_send]    figures beside their references
#   make lint | format | lock | package | clean
#
# Only relative paths here: the directory may have spaces in its name.

RECIPIENTS ?= 20000
NAME ?=
TESTS ?=
TIMES ?=
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check
SIDE_BY_SIDE := --numprocesses logical --maxprocesses 4 --dist loadfile
INSTALLED := tests/render_ext tests/channels tests/migrations tests/api/http tests/core/workers tests/flows/test_campaign.py
ENGINE := $(wildcard render_ext/*.pyx render_ext/*.pxd)
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1

SHELL := /bin/sh
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: demo up test test-only fuzz sanitize bench lint format lock package clean install

demo: install
	@$(VENV)/bin/clarion demo --recipients $(RECIPIENTS)

up: install
	@$(VENV)/bin/clarion up

test: lint test-only

test-only: install
	$(RUN) -m pytest $(SIDE_BY_SIDE) $(TESTS)

fuzz: install
	CLARION_FUZZ=$(or $(TIMES),50) $(RUN) -m pytest --timeout 0 -o faulthandler_timeout=0 $(or $(TESTS),tests/fuzz)

# The build and all it needs are a copy under build/. Memory grows there (what is freed is kept, to be watched), so that test
# stays out; the interpreter itself does not give all of its memory back, so leaks are not looked for.
sanitize: install
	@rm -rf build/sanitize && mkdir -p build/sanitize
	@$(CC) $(SANITIZERS) -shared -x c /dev/null -o build/sanitize/probe.so && ldd build/sanitize/probe.so | grep -q libasan || \
	    { echo "$(CC) has no sanitizers: this needs GCC with its libasan and libubsan (make sanitize CC=gcc)"; exit 1; }
	@cp -R render_ext tests docs pyproject.toml setup.py README.md LICENSE build/sanitize
	@rm -f build/sanitize/render_ext/*.so
	@echo "==> building the render engine with sanitizers"
	@cd build/sanitize && CC="$(CC)" CFLAGS="$(SANITIZERS)" LDFLAGS="$(SANITIZERS)" \
	    ../../$(RUN) setup.py build_ext --inplace -q > build.log 2>&1 || { cat build.log; exit 1; }
	cd build/sanitize && LD_PRELOAD="$$(ldd probe.so | sed -n 's/.*libasan.* => \(.*\) (.*/\1/p')" PYTHONMALLOC=malloc \
	    ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 ../../$(RUN) -m pytest --hypothesis-profile=ci --capture sys \
	    --timeout 0 --ignore tests/render_ext/test_memory.py $(or $(TESTS),tests/render_ext tests/fuzz)

bench: install
	$(RUN) -m loadtests.bench $(NAME)

lint: install
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports

format: install
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

install: $(VENV)/.built

# Which Python: the first that really runs (a version manager's shim may not) and can make environments and extensions.
# 3.12 and 3.11 come first because the embedded Redis has wheels for them; for others it is compiled.
USABLE := import sys, venv, ensurepip, sysconfig, pathlib; \
    sys.exit(sys.version_info < (3, 11) or not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())

$(VENV)/.made:
	@$(RUN) -m pip --version >/dev/null 2>&1 && touch $@ && exit; \
	for python in "$(PYTHON)" python3.12 python3.11 python3.13 python3 python3.14; do \
	    if "$$python" -c '$(USABLE)' >/dev/null 2>&1; then \
	        echo "==> making $(VENV) with $$("$$python" --version)"; \
	        rm -rf $(VENV); "$$python" -m venv $(VENV) && touch $@; exit; \
	    fi; \
	done; \
	echo "No Python >= 3.11 with venv and headers was found; name one: make PYTHON=/path/to/python3"; \
	echo "On Debian 12 and later: apt-get install python3-venv python3-dev"; \
	exit 1

$(VENV)/.installed: requirements.lock $(VENV)/.made
	@echo "==> installing $$(grep -c == requirements.lock) packages from requirements.lock (a minute or two)"
	@$(PIP) install -q --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.built: $(VENV)/.installed pyproject.toml setup.py $(ENGINE)
	@echo "==> building the render engine"
	@$(PIP) install -q --no-build-isolation --no-deps -e .
	@touch $@

# One lock for all systems and Python versions, with hashes and without the address of an index.
lock: $(VENV)/.made
	@$(PIP) install -q uv
	$(RUN) -m uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --no-header -o requirements.lock

# Source distribution and wheel are built; the wheel, built from the source distribution, is installed into an
# environment of its own and passes the tests there, away from the sources.
package: install
	@rm -rf build/package && mkdir -p build/package/run
	@echo "==> building source distribution and wheel"
	@$(RUN) -m build -q --no-isolation -o build/package/dist .
	@echo "==> installing the wheel into an environment of its own"
	@$(RUN) -m venv build/package/venv
	@build/package/venv/bin/python -m pip --disable-pip-version-check install -q --require-hashes -r requirements.lock
	@build/package/venv/bin/python -m pip --disable-pip-version-check install -q --no-deps build/package/dist/*.whl
	@tar -xzf build/package/dist/*.tar.gz -C build/package
	@cd build/package/clarion-* && cp -R tests docs loadtests pyproject.toml ../run
	cd build/package/run && ../venv/bin/python -m pytest $(SIDE_BY_SIDE) $(or $(TESTS),$(INSTALLED))

# Keeps ./var: there are the embedded database and its data.
clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -f render_ext/*.so render_ext/*.c
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
