# One Makefile for everything; `make help` lists the targets. Output goes to $(BUILD) only.
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
CXX = $(shell command -v ccache) g++
CC = gcc
# Two checkouts of the same sources share the compiler's cache.
export CCACHE_NOHASHDIR = 1
JOBS = -j$(shell nproc)
PYTEST = /usr/bin/python3 -m pytest
VERSION := $(shell cat VERSION)
COMMIT := $(shell git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)

WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Wswitch-enum -Wnon-virtual-dtor -Wundef -Wno-missing-field-initializers -Werror
# No locale, no iostreams, no exceptions: each of them costs start-up time (docs/performance.md).
CPPFLAGS = -Iruntime -D_GNU_SOURCE -DFMT_STATIC_THOUSANDS_SEPARATOR="','"
CXXFLAGS = -std=c++20 -O2 -g1 -fPIE -fno-rtti -fstack-protector-strong -ffunction-sections -fdata-sections $(HARDENING)
HARDENING = -D_FORTIFY_SOURCE=2
EXCEPTIONS = -fno-exceptions
LDFLAGS = -static-pie -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,-z,noexecstack
LDLIBS = -lseccomp -lcap -ljson-c
DEPENDENCY_FLAGS = -MMD -MP

ifdef SANITIZE
SANITIZERS = -fsanitize=address,undefined -fno-sanitize-recover=undefined
HARDENING = $(SANITIZERS) -O1
LDFLAGS = $(SANITIZERS) -pie
endif

# Folders are layers: each may include only those before it.
LAYERS = base kernel spec policy plan cgroup setup launch container
ARCHIVES = $(foreach layer,$(LAYERS),$(BUILD)/lib/$(layer).a)
sources_of = $(wildcard runtime/$(1)/*.cpp)
objects_of = $(patsubst %.cpp,$(BUILD)/obj/%.o,$(call sources_of,$(1)))
# The archives of a layer and of all below it, highest first, as the linker wants them.
reverse = $(if $(1),$(call reverse,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
upto = $(if $(filter $(1),$(firstword $(2))),$(1),$(firstword $(2)) $(call upto,$(1),$(wordlist 2,$(words $(2)),$(2))))
archives_upto = $(patsubst %,$(BUILD)/lib/%.a,$(call reverse,$(call upto,$(1),$(LAYERS))))

.PHONY: all
all: $(BUILD)/brig ## build the runtime

# The program that runs carries no debug information: it is read at each start. brig.debug has it for debuggers.
$(BUILD)/brig: $(BUILD)/brig.debug
	objcopy --strip-all $< $@

$(BUILD)/brig.debug: $(call objects_of,command) $(ARCHIVES)
	$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $(call objects_of,command) $(call reverse,$(ARCHIVES)) $(LDLIBS)

define layer_rule
$(BUILD)/lib/$(1).a: $(call objects_of,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach layer,$(LAYERS),$(eval $(call layer_rule,$(layer))))

$(BUILD)/obj/%.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(EXCEPTIONS) $(WARNINGS) $(DEPENDENCY_FLAGS) -c -o $@ $<

$(BUILD)/obj/runtime/command/version.o: CPPFLAGS += -DBRIG_VERSION='"$(VERSION)"' -DBRIG_COMMIT='"$(COMMIT)"'

# Unit and kernel tests: one Criterion program for each folder tests/unit/LAYER and for tests/kernel.
UNIT_LAYERS = $(notdir $(patsubst %/,%,$(wildcard tests/unit/*/)))
UNIT_PROGRAMS = $(patsubst %,$(BUILD)/tests/unit-%,$(UNIT_LAYERS))
TEST_CXXFLAGS = -std=c++20 -O0 -g -Wall -Wextra -Wno-missing-field-initializers -Werror $(SANITIZERS)
test_objects = $(patsubst %.cpp,$(BUILD)/obj/%.o,$(wildcard tests/$(1)/*.cpp))

$(BUILD)/obj/tests/%.o: tests/%.cpp
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) -Itests $(TEST_CXXFLAGS) $(DEPENDENCY_FLAGS) -c -o $@ $<

# runtime/command is no archive: its objects, without main, in front of all layers.
unit_under_test = $(if $(filter command,$(1)),$(filter-out %/main.o,$(call objects_of,command)) $(call reverse,$(ARCHIVES)),$(call archives_upto,$(1)))
define unit_rule
$(BUILD)/tests/unit-$(1): $(call test_objects,unit/$(1)) $(call unit_under_test,$(1))
	@mkdir -p $$(@D)
	$(CXX) $(TEST_CXXFLAGS) -o $$@ $$^ -lcriterion -lseccomp -lcap -ljson-c
endef
$(foreach layer,$(UNIT_LAYERS),$(eval $(call unit_rule,$(layer))))

# A test body must not fork or unshare; probe_NAME.cpp is a program of its own that it spawns.
KERNEL_PROBES = $(patsubst tests/kernel/probe_%.cpp,$(BUILD)/tests/probe-%,$(wildcard tests/kernel/probe_*.cpp))

$(KERNEL_PROBES): $(BUILD)/tests/probe-%: $(BUILD)/obj/tests/kernel/probe_%.o $(call archives_upto,setup)
	@mkdir -p $(@D)
	$(CXX) $(TEST_CXXFLAGS) -o $@ $^ -lseccomp -lcap -ljson-c

$(BUILD)/tests/kernel: $(filter-out $(BUILD)/obj/tests/kernel/probe_%,$(call test_objects,kernel)) \
	$(call archives_upto,setup) | $(KERNEL_PROBES)
	@mkdir -p $(@D)
	$(CXX) $(TEST_CXXFLAGS) -o $@ $^ -lcriterion -lseccomp -lcap -ljson-c

$(BUILD)/tests/probe: tests/support/probe.c
	@mkdir -p $(@D)
	$(CC) -O1 -static -Wall -Wextra -o $@ $<

.PHONY: unit kernel-tests container-tests security-tests endtoend-tests test test-reference
unit: $(UNIT_PROGRAMS) ## run the unit tests of the pure layers (no root needed)
	@set -e; for program in $(UNIT_PROGRAMS); do $$program; done

kernel-tests: $(BUILD)/tests/kernel $(KERNEL_PROBES) ## run the tests of the wrappers and of the set-up against this kernel
	BUILD=$(BUILD) $(BUILD)/tests/kernel

BRIG ?= $(abspath $(BUILD)/brig)
container-tests: $(BUILD)/brig $(BUILD)/tests/probe ## run the command-line contract
	BRIG=$(BRIG) $(PYTEST) -q tests/container

security-tests: $(BUILD)/brig $(BUILD)/tests/probe ## run the attacks, each with a positive control
	BRIG=$(BRIG) $(PYTEST) -q tests/security

endtoend-tests: $(BUILD)/brig $(BUILD)/tests/probe ## run Docker, containerd, Podman and Buildah on brig
	BRIG=$(BRIG) $(PYTEST) -q tests/endtoend

test: deps ## install what is missing, then run every test
	$(MAKE) $(JOBS) all $(BUILD)/tests/probe $(UNIT_PROGRAMS) $(BUILD)/tests/kernel
	$(MAKE) unit kernel-tests
	BRIG=$(BRIG) $(PYTEST) -q tests/container tests/security tests/endtoend tests/bench

test-reference: deps $(BUILD)/tests/probe ## run the portable contract cases against another runtime: BRIG=runc
	BRIG=$(BRIG) $(PYTEST) -q tests/container

.PHONY: deps demo bench images sanitize lint format tidy install uninstall clean help
deps: ## install what is missing of the distribution's packages
	@tools/deps

demo: deps ## show brig at work, by hand and under Docker
	$(MAKE) $(JOBS) all
	tools/demo --brig $(BRIG) --images $(BUILD)/images --output $(BUILD)/demo

bench: deps ## measure brig beside crun, runc and the kernel's floor
	$(MAKE) $(JOBS) all
	BRIG=$(BRIG) tests/bench/bench $(BENCH_ARGS)

images: ## build the sandbox images' root file systems
	images/build python $(BUILD)/images
	images/build busybox $(BUILD)/images

# A build of its own with the address and undefined-behaviour sanitizers; the static program cannot have them.
sanitize: deps ## run the unit, kernel and command-line tests with sanitizers
	$(MAKE) $(JOBS) BUILD=$(BUILD)/sanitize SANITIZE=1 sanitize-build
	$(MAKE) BUILD=$(BUILD)/sanitize SANITIZE=1 unit kernel-tests
	BRIG=$(abspath $(BUILD)/sanitize/brig.debug) ASAN_OPTIONS=detect_leaks=0 $(PYTEST) -q $(SANITIZE_TESTS)

SANITIZE_TESTS ?= tests/container
.PHONY: sanitize-build
sanitize-build: $(BUILD)/brig.debug $(BUILD)/tests/probe $(UNIT_PROGRAMS) $(BUILD)/tests/kernel

CPP_FILES = $(shell git ls-files '*.cpp' '*.hpp')
lint: deps ## check format, code rules, scripts and man pages
	clang-format --dry-run --Werror $(CPP_FILES)
	tools/check-source
	git ls-files | xargs -r grep -lE '^#!.*\b(bash|sh)$$' | xargs -r shellcheck
	for page in docs/man/*.8; do man --warnings -E UTF-8 -l $$page 2>&1 >/dev/null | { ! grep .; } || exit 1; done
	$(MAKE) $(JOBS) tidy

TIDY_STAMPS = $(patsubst %.cpp,$(BUILD)/tidy/%.ok,$(shell git ls-files 'runtime/*.cpp'))
tidy: $(TIDY_STAMPS)
$(BUILD)/tidy/%.ok: %.cpp .clang-tidy
	@mkdir -p $(@D)
	clang-tidy --quiet $< -- -std=c++20 $(CPPFLAGS) -DBRIG_VERSION='"$(VERSION)"' -DBRIG_COMMIT='"$(COMMIT)"' 2>/dev/null
	@touch $@

format: ## rewrite the sources as .clang-format wants them
	clang-format -i $(CPP_FILES)

install: $(BUILD)/brig ## install the program, man pages, policies and registration tools: DESTDIR= PREFIX=
	install -D -m 755 $(BUILD)/brig $(DESTDIR)$(PREFIX)/bin/brig
	for page in docs/man/*.8; do install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man8/$${page##*/} || exit 1; done
	install -D -m 644 policies/seccomp/default.json $(DESTDIR)$(PREFIX)/share/brig/policies/seccomp/default.json
	install -D -m 644 tools/registration.py $(DESTDIR)$(PREFIX)/share/brig/tools/registration.py
	for tool in docker containerd podman; do \
		install -D -m 755 tools/register-$$tool $(DESTDIR)$(PREFIX)/share/brig/tools/register-$$tool || exit 1; done

uninstall: ## remove what install made
	rm -f $(DESTDIR)$(PREFIX)/bin/brig $(DESTDIR)$(PREFIX)/share/man/man8/brig.8 $(DESTDIR)$(PREFIX)/share/man/man8/brig-*.8
	rm -rf $(DESTDIR)$(PREFIX)/share/brig

clean: ## remove everything that was built
	rm -rf $(BUILD)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  %-18s %s\n", $$1, $$2}'

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
