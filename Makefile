# Ideapool: `make run` to use it, `make test` to check it, `make help` for the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.SILENT:
.DEFAULT_GOAL := help

HOST := $(or $(IDEAPOOL_HOST),127.0.0.1)
PORT := $(or $(IDEAPOOL_PORT),8000)
MODEL := $(or $(IDEAPOOL_MODEL),standard)
CUDA :=
ARGS :=
WORKERS := 2

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --no-build-isolation
LOCKED := $(INSTALL) --require-hashes
ACCELERATOR := $(if $(filter-out 0,$(CUDA)),cuda,cpu)
OTHER := $(if $(filter cuda,$(ACCELERATOR)),cpu,cuda)
# Elsewhere there is no compiled library of llama.cpp, and installing the packages compiles it.
HAS_PREBUILT := $(filter Linux-x86_64,$(shell uname -s)-$(shell uname -m))
RUNTIME := .venv/.runtime
NATIVE := .venv/.native-$(ACCELERATOR)
# The compiled library needs a CPU with AVX2, as since 2013 (Intel) or 2015 (AMD).
HAS_AVX2 := $(shell grep -qsw avx2 /proc/cpuinfo && echo yes)
NEEDS_NATIVE := $(filter cuda,$(ACCELERATOR))$(if $(HAS_AVX2),,$(HAS_PREBUILT))
SERVED := $(RUNTIME) $(if $(NEEDS_NATIVE),$(NATIVE))
DEV := .venv/.dev
TRAINING := .venv/.training
PEERS := .venv-bench/.peers
SITE := .venv-docs/.site

cpu_options := -DLLAVA_BUILD=OFF
cuda_options := -DLLAVA_BUILD=OFF -DGGML_CUDA=on
# pip keys the wheels it keeps by source, not by options: a CUDA build must not enter or leave there.
cuda_pip_options := --no-cache-dir

.PHONY: help run native test test-fast coverage campaigns check format translations reference docs lock train bench clean chromium postgresql

help: ## show this list
	echo 'make run [PORT=8000] [MODEL=standard|medium|small] [HOST=127.0.0.1] [CUDA=1]'
	echo 'make test [ARGS="-k words"] [WORKERS=2]'
	sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: $(SERVED) ## install what is missing, fetch the model, serve on http://HOST:PORT
	export IDEAPOOL_HOST='$(HOST)' IDEAPOOL_PORT='$(PORT)' IDEAPOOL_MODEL='$(MODEL)'
	$(if $(filter cuda,$(ACCELERATOR)),export IDEAPOOL_GPU_LAYERS=$${IDEAPOOL_GPU_LAYERS:--1})
	exec $(BIN)/ideapool serve

native: $(NATIVE) ## compile llama.cpp for this machine, which then answers faster
	exec $(BIN)/ideapool doctor --speed

test: $(DEV) $(TRAINING) chromium postgresql ## run every test, on the real small model
	IDEAPOOL_MODEL=small $(BIN)/ideapool models fetch
	exec $(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

test-fast: $(DEV) postgresql ## run the tests of units and of the API, without training and without a model
	exec $(BIN)/python -m pytest -n $(WORKERS) -p tests.support.without_training -m 'not slow' \
	  tests/unit tests/api $(ARGS)

campaigns: $(DEV) postgresql ## try the running product at length: kills, full disks, hostile files, random steps
	IDEAPOOL_MODEL=small $(BIN)/ideapool models fetch
	exec $(BIN)/python -m pytest -s tests/campaigns $(ARGS)

coverage: $(DEV) $(TRAINING) chromium postgresql ## run every test, and say how much of the code they run
	IDEAPOOL_MODEL=small $(BIN)/ideapool models fetch
	mkdir -p test-results
	for package in service training; do
	  export COVERAGE_FILE=$$PWD/test-results/coverage-$$package
	  rm -f $$COVERAGE_FILE*
	  folders=tests/training
	  [ $$package = training ] || folders='tests/unit tests/api tests/engine tests/browser'
	  $(BIN)/coverage run --source=$$package -m pytest -n $(WORKERS) $$folders $(ARGS)
	  $(BIN)/coverage combine --quiet
	done
	for package in service training; do
	  COVERAGE_FILE=test-results/coverage-$$package $(BIN)/coverage report
	done

check: $(DEV) $(TRAINING) ## formatting, lint, types and imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV) ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

translations: $(RUNTIME) ## collect the texts of the pages into the catalogues of translations/
	texts=$$(mktemp)
	trap 'rm -f "$$texts"' EXIT
	$(BIN)/pybabel --quiet extract --mapping-file pyproject.toml --sort-by-file --add-location file \
	  --output-file "$$texts" .
	$(BIN)/pybabel --quiet update --input-file "$$texts" --output-dir translations \
	  --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date

reference: $(RUNTIME) ## write the pages of docs/ that are made from the code
	$(BIN)/python -m docs.generate

docs: $(SITE) ## build the documentation into docs/_site; fails on warnings and broken links
	rm -rf docs/_site
	.venv-docs/bin/python -m sphinx --builder dirhtml --fail-on-warning --keep-going --fresh-env --quiet \
	  --doctree-dir .venv-docs/doctrees docs docs/_site
	echo "See docs/_site/index.html"

lock: .venv/.created ## resolve the dependencies again (ARGS=--upgrade for newer ones)
	$(INSTALL) --quiet uv==0.13.9
	lock() {
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --custom-compile-command 'make lock' $(ARGS) "$$@"
	}
	lock --group build -o requirements-build.lock
	lock --group compile -o requirements-compile.lock
	lock pyproject.toml -o requirements.lock
	lock pyproject.toml --extra native -c requirements.lock -o requirements-native.lock
	lock pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock
	lock pyproject.toml --extra training -c requirements-dev.lock --excludes <(echo torch) \
	  -o requirements-training.lock
	lock --group bench -c requirements.lock -o requirements-bench.lock
	lock --group docs -o requirements-docs.lock

train: $(TRAINING) ## a whole small training run on the CPU: data, adapter, GGUF, figures
	IDEAPOOL_MODEL=small $(BIN)/ideapool models fetch
	exec $(BIN)/ideapool-train all training/configs/tiny.toml --resume $(ARGS)

bench: $(NATIVE) $(PEERS) ## measure beside other servers (ARGS="--quick", "--model standard", "--help")
	exec $(BIN)/python -m benchmarks.bench_servers $(ARGS)

clean: ## remove the environments and the caches; data/ stays
	rm -rf .venv .venv-bench .venv-docs docs/_site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis test-results
	find benchmarks docs service static templates tests training -name __pycache__ -prune -exec rm -rf {} +

# A step leaves its stamp only when it is done, so an interrupted one is simply repeated.
.venv/.created:
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then
	  for python in python3 python3.11 python3.12 python3.13 python3.14 none; do
	    "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
	      2>/dev/null && break
	  done
	  if [ "$$python" = none ]; then
	    echo 'Ideapool needs Python 3.11 or newer with venv' \
	      '(on Debian and Ubuntu: apt-get install python3 python3-venv).' >&2
	    exit 1
	  fi
	  echo "Creating .venv with $$("$$python" --version)"
	  "$$python" -m venv --clear .venv
	fi
	touch $@

$(RUNTIME): .venv/.created requirements-build.lock requirements.lock pyproject.toml
	$(SHOW_PROGRESS)
	rm -f .venv/.native-* $(DEV) $(TRAINING)
	echo 'Installing the locked packages into .venv'
	$(LOCKED) --quiet -r requirements-build.lock
	$(if $(HAS_PREBUILT),,$(PREPARE_COMPILING))
	export CMAKE_ARGS='$(cpu_options)' CMAKE_BUILD_PARALLEL_LEVEL=$$(nproc)
	install_with_progress -r requirements.lock
	$(INSTALL) --quiet --no-deps --editable .
	touch $@

$(NATIVE): $(RUNTIME) requirements-compile.lock requirements-native.lock
	$(SHOW_PROGRESS)
	$(PREPARE_COMPILING)
	if [ -e .venv/.native-$(OTHER) ]; then
	  $(BIN)/python -m pip uninstall --quiet --yes llama-cpp-python
	fi
	rm -f .venv/.native-* $(DEV) $(TRAINING)
	export CMAKE_ARGS='$($(ACCELERATOR)_options)' CMAKE_BUILD_PARALLEL_LEVEL=$$(nproc)
	install_with_progress $($(ACCELERATOR)_pip_options) -r requirements-native.lock
	touch $@

# The tests compare both libraries, and run on the faster one.
$(DEV): $(NATIVE) requirements-dev.lock
	echo 'Installing what the checks and tests need'
	$(LOCKED) --quiet -r requirements-dev.lock
	touch $@

# torch comes first and unlocked, and one that is there already is kept: a machine with a GPU needs
# another build of it than one without.
$(TRAINING): $(RUNTIME) requirements-training.lock pyproject.toml
	echo 'Installing what training needs (torch is large)'
	$(INSTALL) --quiet "$$(sed -nE 's/^ *"(torch[<>=].*)",$$/\1/p' pyproject.toml)"
	$(LOCKED) --quiet --no-deps -r requirements-training.lock
	$(INSTALL) --quiet --no-deps --editable .
	touch $@

# The peers get their own environment. llama-server is compiled like our llama.cpp, from the same
# source for the same CPU: the packaged one, made for any CPU of the last ten years, is slower.
$(PEERS): .venv/.created requirements-compile.lock requirements-bench.lock
	$(SHOW_PROGRESS)
	echo 'Installing the servers to compare with into .venv-bench'
	[ -x .venv-bench/bin/python ] || $(BIN)/python -m venv --clear .venv-bench
	rm -f $@
	export PATH="$$PWD/.venv-bench/bin:$$PATH" CMAKE_ARGS='$(cpu_options)'
	export CMAKE_BUILD_PARALLEL_LEVEL=$$(nproc)
	pip='python -m pip --disable-pip-version-check --quiet'
	$$pip install --require-hashes -r requirements-compile.lock
	$$pip install --require-hashes --no-build-isolation -r requirements-bench.lock
	cd .venv-bench
	sed -n '/^llama-cpp-python==/,/--hash/p' ../requirements-bench.lock >llama-cpp.lock
	if ! cmp --quiet llama-cpp.lock llama-server.lock; then
	  rm -rf source
	  $$pip download --no-deps --no-build-isolation --no-binary llama-cpp-python \
	    --require-hashes -r llama-cpp.lock -d source
	  tar -xzf source/*.tar.gz -C source --strip-components=1
	  {
	    cmake -G Ninja -S source/vendor/llama.cpp -B source/build -DCMAKE_BUILD_TYPE=Release \
	      -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_OPENSSL=OFF
	    cmake --build source/build --target llama-server
	  } 2>&1 | tee build.log | show_progress || {
	    tail -n 40 build.log | cut -c 1-300 >&2
	    echo 'The compilation failed; all of its output is in .venv-bench/build.log.' >&2
	    exit 1
	  }
	  mv source/build/bin/llama-server bin/
	  rm -rf source
	  mv llama-cpp.lock llama-server.lock
	fi
	touch $(@F)

# The site needs neither the service nor a compiler.
$(SITE): .venv/.created requirements-docs.lock
	echo 'Installing what builds the documentation into .venv-docs'
	[ -x .venv-docs/bin/python ] || $(BIN)/python -m venv --clear .venv-docs
	.venv-docs/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes \
	  -r requirements-docs.lock
	touch $@

# The headless shell takes half as long as the whole browser, which does where it is all there is.
chromium:
	if command -v chromium-headless-shell >/dev/null; then exit; fi
	has_browser=$$(command -v chromium chromium-browser google-chrome || true)
	if [ -n "$$has_browser" ] && [ "$$(id -u)" != 0 ]; then exit; fi
	as_root=$$([ "$$(id -u)" = 0 ] || command -v sudo || echo none)
	if [ "$$as_root" = none ] || ! command -v apt-get >/dev/null; then
	  [ -z "$$has_browser" ] || exit 0
	  echo 'The browser tests need Chromium: please install it.' >&2
	  exit 1
	fi
	echo 'Installing Chromium for the browser tests'
	install() { $$as_root apt-get -qq install --yes --no-install-recommends "$$1" >/dev/null; }
	$$as_root apt-get -qq update || [ -n "$$has_browser" ]
	install chromium-headless-shell || [ -n "$$has_browser" ] || install chromium

# Tests start a server of their own; that of the package is not needed, and not stopped.
postgresql:
	if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then exit; fi
	as_root=$$([ "$$(id -u)" = 0 ] || command -v sudo || echo none)
	if [ "$$as_root" = none ] || ! command -v apt-get >/dev/null; then
	  if command -v initdb >/dev/null; then exit; fi
	  echo 'The tests of the store need PostgreSQL: please install it.' >&2
	  exit 1
	fi
	echo 'Installing PostgreSQL for the tests of the store'
	$$as_root apt-get -qq update
	$$as_root apt-get -qq install --yes --no-install-recommends postgresql >/dev/null

define PREPARE_COMPILING
if ! command -v $${CC:-cc gcc clang} >/dev/null || ! command -v $${CXX:-c++ g++ clang++} >/dev/null
then
  echo 'llama.cpp is compiled here and needs a C and C++ compiler' \
    '(on Debian and Ubuntu: apt-get install g++).' >&2
  exit 1
fi
$(LOCKED) --quiet -r requirements-compile.lock
endef

# Reduces the build's output to its [n/m]: in place on a terminal, every ten seconds in a log.
define SHOW_PROGRESS
show_progress() {
  local line next=
  while IFS= read -r line; do
    [[ $$line =~ ^\ *\[([0-9]+)/([0-9]+)\]\  ]] || continue
    [ "$$next" ] || echo 'Compiling llama.cpp (once, about 6 minutes on two cores)'
    if [ -t 1 ]; then
      printf '\r  %s of %s files' "$${BASH_REMATCH[@]:1}"
      next=now
    elif (( SECONDS >= next )); then
      printf '  %s of %s files\n' "$${BASH_REMATCH[@]:1}"
      next=$$((SECONDS + 10))
    fi
  done
  [ -z "$$next" ] || [ ! -t 1 ] || echo
}
install_with_progress() {
  $(LOCKED) --verbose "$$@" 2>&1 | tee .venv/install.log | show_progress || {
    tail -n 40 .venv/install.log | cut -c 1-300 >&2
    echo 'The installation failed; all of its output is in .venv/install.log.' >&2
    exit 1
  }
}
endef
