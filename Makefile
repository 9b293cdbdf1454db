# Thin: installs what is missing, then Meson and Ninja do the work. `make help` lists the targets.
MESON ?= meson
BUILD ?= build
PORT ?= 8080
PREFIX ?= /usr/local
DESTDIR ?=
SECONDS ?= 60
FUZZ_SECONDS ?= 1800
MUTANTS ?= 60
export BUILD PORT LEASEHOLD_HOME

.PHONY: all help deps run test test-full torture asan fuzz fuzz-replay vectors bench docs format install clean

all: deps $(BUILD)/build.ninja ## build the library, the nginx module and the command line
	ninja -C $(BUILD)

help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 14

deps:
	@tools/install-deps

$(BUILD)/build.ninja:
	$(MESON) setup $(BUILD)

run: ## gateway, two demo tenants and an echo service on PORT, until Ctrl-C
	@exec tools/run

test: deps ## everything once with sanitizers, then a smoke test of the plain build
	@tools/test

test-full: deps ## test, long, torture, MUTANTS (60) mistakes, FUZZ_SECONDS (1800) of fuzzing in sum
	@FUZZ_SECONDS='$(FUZZ_SECONDS)' MUTANTS='$(MUTANTS)' tools/test --full

torture: deps ## each allocation and each call failing in turn, with sanitizers
	@tools/test --torture

asan: deps ## only the sanitizer build, with unit and contract tests
	@tools/test --asan

fuzz: deps ## one parser (T=name, or all) for SECONDS (60) with libFuzzer and sanitizers
	@tools/fuzz '$(T)' '$(SECONDS)'

fuzz-replay: all ## the seeds of all fuzz targets
	@$(MESON) test -C $(BUILD) --suite fuzz --print-errorlogs

vectors: all ## published test vectors in the directory VECTORS
	@test -d '$(VECTORS)' || { echo 'leasehold: VECTORS= a directory of test vectors' >&2; exit 2; }
	@$(BUILD)/tests/vectors/vectors '$(VECTORS)'
	@LEASEHOLD_BUILD='$(BUILD)' /usr/bin/python3 tests/integration/published_framings.py '$(VECTORS)'

bench: deps ## requests and CPU per request beside bare nginx and auth_request
	@tools/bench

docs: all ## the generated parts of docs/ and man/
	@tools/gen_docs --build $(BUILD)

format: ## the C code as clang-format leaves it
	@tools/check_format --fix

install: deps ## into DESTDIR and PREFIX
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' tools/install

clean: ## what was built; the demo's home (run/) stays
	rm -rf build build-*
