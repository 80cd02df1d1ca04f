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
# No locale, no iostreams, no exceptions, small code: each costs start-up time otherwise (docs/performance.md).
CPPFLAGS = -Iruntime -D_GNU_SOURCE -DFMT_STATIC_THOUSANDS_SEPARATOR="','"
CXXFLAGS = -std=c++20 -Os -g1 -fPIE -fno-rtti -fstack-protector-strong -ffunction-sections -fdata-sections $(HARDENING)
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
LAYERS = base kernel spec policy plan cgroup setup launch container image egress guard sandbox doctor inspect
ARCHIVES = $(foreach layer,$(LAYERS),$(BUILD)/lib/$(layer).a)
sources_of = $(wildcard runtime/$(1)/*.cpp)
objects_of = $(patsubst %.cpp,$(BUILD)/obj/%.o,$(call sources_of,$(1)))
# The archives of a layer and of all below it, highest first, as the linker wants them.
reverse = $(if $(1),$(call reverse,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
upto = $(if $(filter $(1),$(firstword $(2))),$(1),$(firstword $(2)) $(call upto,$(1),$(wordlist 2,$(words $(2)),$(2))))
archives_upto = $(patsubst %,$(BUILD)/lib/%.a,$(call reverse,$(call upto,$(1),$(LAYERS))))

.PHONY: all
all: $(BUILD)/brig $(BUILD)/brig-image ## build the runtime

# The program that runs carries no debug information: it is read at each start. brig.debug has it for debuggers.
$(BUILD)/brig: $(BUILD)/brig.debug
	objcopy --strip-all $< $@

BRIG_OBJECTS = $(call objects_of,command) $(call objects_of,command/sandbox)
$(BUILD)/brig.debug: $(BRIG_OBJECTS) $(ARCHIVES)
	$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $(BRIG_OBJECTS) $(call reverse,$(ARCHIVES)) $(LDLIBS)

# Images are unpacked by a program of its own: no other start pays for its libraries. libarchive, nettle and zstd are linked
# into it; ISA-L has no static archive.
IMAGE_OBJECTS = $(call objects_of,image/tool) $(call objects_of,command/image) \
	$(filter-out %/main.o,$(call objects_of,command))
IMAGE_LDLIBS = -l:libarchive.a -lisal -l:libnettle.a -l:libzstd.a
IMAGE_LDFLAGS = -pie -static-libstdc++ -static-libgcc $(filter-out -static-pie,$(LDFLAGS))
$(BUILD)/brig-image: $(IMAGE_OBJECTS) $(ARCHIVES)
	$(CXX) $(CXXFLAGS) $(IMAGE_LDFLAGS) -o $@.debug $(IMAGE_OBJECTS) $(call reverse,$(ARCHIVES)) $(IMAGE_LDLIBS) \
		-l:libseccomp.a -l:libcap.a -l:libjson-c.a
	objcopy --strip-all $@.debug $@

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
# egress includes base and kernel only (tools/check-source), and is built and tested without the rest.
egress_archives = $(patsubst %,$(BUILD)/lib/%.a,egress kernel base)
unit_under_test = $(if $(filter egress,$(1)),$(egress_archives),$(call unit_of_layer,$(1)))
unit_of_layer = $(if $(filter command,$(1)),$(filter-out %/main.o,$(call objects_of,command)) $(call reverse,$(ARCHIVES)),$(call archives_upto,$(1)))
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

# Programs that the tests against the built binary use, without libraries so that they run anywhere.
HELPERS = $(patsubst tests/support/%.c,$(BUILD)/tests/%,$(wildcard tests/support/*.c))
$(HELPERS): $(BUILD)/tests/%: tests/support/%.c
	@mkdir -p $(@D)
	$(CC) -O1 -static -Wall -Wextra -o $@ $<

# One libFuzzer program for each tests/fuzz/NAME.cpp; its line "// sources:" names what is compiled with it, tests/fuzz/corpus/NAME
# is where it begins. What it finds on the way stays in $(BUILD)/fuzz/found/NAME.
FUZZ_SECONDS ?= 30
FUZZ_LIBS = -larchive -lisal -lnettle -lzstd -ljson-c -lcap -lseccomp -lpthread
FUZZ_NAMES = $(patsubst tests/fuzz/%.cpp,%,$(wildcard tests/fuzz/*.cpp))
FUZZ_CXX = $(shell command -v ccache) clang++
FUZZ_CXXFLAGS = -std=c++20 -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
fuzz_objects = $(patsubst %.cpp,$(BUILD)/fuzz/obj/%.o,tests/fuzz/$(1).cpp $(wildcard $(shell sed -n 's|^// sources: ||p' tests/fuzz/$(1).cpp)))

$(BUILD)/fuzz/obj/%.o: %.cpp
	@mkdir -p $(@D)
	$(FUZZ_CXX) $(CPPFLAGS) $(FUZZ_CXXFLAGS) $(DEPENDENCY_FLAGS) -c -o $@ $<

define fuzz_rule
$(BUILD)/fuzz/$(1): $(call fuzz_objects,$(1))
	$(FUZZ_CXX) -fsanitize=fuzzer,address,undefined -o $$@ $$^ $(FUZZ_LIBS)
endef
$(foreach name,$(FUZZ_NAMES),$(eval $(call fuzz_rule,$(name))))

.PHONY: fuzz
fuzz: $(addprefix $(BUILD)/fuzz/,$(FUZZ_NAMES)) ## feed the parsers with hostile input, each for FUZZ_SECONDS
	@set -e; for name in $(FUZZ_NAMES); do \
		mkdir -p $(BUILD)/fuzz/found/$$name $(BUILD)/fuzz/seeds/$$name; echo "fuzz $$name"; \
		seeds=tests/fuzz/corpus/$$name; \
		[ -d $$seeds ] || { seeds=$(BUILD)/fuzz/seeds/$$name; tests/fuzz/make-seeds $$name $$seeds; }; \
		$(BUILD)/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=20 -print_final_stats=1 -verbosity=0 \
			-artifact_prefix=$(BUILD)/fuzz/$$name- $(BUILD)/fuzz/found/$$name $$seeds; done

# Runs a command behind the egress broker alone, without a container.
EGRESS_RUN = $(BUILD)/tests/egress-run
$(EGRESS_RUN): $(BUILD)/obj/tests/support/egress_run.o $(egress_archives)
	@mkdir -p $(@D)
	$(CXX) $(TEST_CXXFLAGS) -o $@ $^ -lseccomp -lcap -ljson-c

ATTACKS = $(patsubst tests/security/%.c,$(BUILD)/tests/attacks/%,$(wildcard tests/security/*.c))
$(ATTACKS): $(BUILD)/tests/attacks/%: tests/security/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -static -Wall -Wextra -Werror -o $@ $<

.PHONY: unit kernel-tests container-tests security-tests egress-tests sandbox-tests endtoend-tests test test-reference
unit: $(UNIT_PROGRAMS) ## run the unit tests of the pure layers (no root needed)
	@set -e; for program in $(UNIT_PROGRAMS); do $$program; done

kernel-tests: $(BUILD)/tests/kernel $(KERNEL_PROBES) ## run the tests of the wrappers and of the set-up against this kernel
	BUILD=$(BUILD) $(BUILD)/tests/kernel

BRIG ?= $(abspath $(BUILD)/brig)
container-tests: $(BUILD)/brig $(HELPERS) $(EGRESS_RUN) criu ## run the command-line contract
	BRIG=$(BRIG) $(PYTEST) -q tests/container

security-tests: $(BUILD)/brig $(HELPERS) ## run the attacks, each with a positive control
	BRIG=$(BRIG) $(PYTEST) -q tests/security

.PHONY: image-tests egress-tests
image-tests: $(BUILD)/brig $(BUILD)/brig-image $(HELPERS) ## run the tests of images: formats, attacks, crashes, containers of images
	BRIG=$(BRIG) $(PYTEST) -q tests/image

sandbox-tests: $(BUILD)/brig $(HELPERS) $(EGRESS_RUN) ## run sandboxes under attack
	BRIG=$(BRIG) $(PYTEST) -q tests/sandbox

egress-tests: $(EGRESS_RUN) ## run the attacks on the network by domain, in a world of network namespaces
	BUILD=$(abspath $(BUILD)) $(PYTEST) -q tests/egress

endtoend-tests: $(BUILD)/brig $(HELPERS) $(EGRESS_RUN) ## run Docker, containerd, Podman and Buildah on brig
	BRIG=$(BRIG) $(PYTEST) -q tests/endtoend

# For the tests of checkpoint and restore, where the distribution's CRIU does not work on the kernel.
.PHONY: criu
criu:
	@tools/newer-criu --if-needed $(BUILD)/criu || echo "without a CRIU that works here, its tests are skipped"

test: deps ## install what is missing, then run every test
	$(MAKE) criu
	$(MAKE) $(JOBS) all $(HELPERS) $(UNIT_PROGRAMS) $(BUILD)/tests/kernel $(EGRESS_RUN)
	$(MAKE) unit kernel-tests
	BRIG=$(BRIG) BUILD=$(abspath $(BUILD)) BRIG_TEST_IMAGES="$(QUICK_IMAGES)" $(PYTEST) -q tests/container tests/security \
		tests/image tests/egress tests/sandbox tests/endtoend tests/images tests/bench

# What the other tests need; the rest is made by test-images only, because that takes minutes.
QUICK_IMAGES = busybox python shell node
.PHONY: test-images
test-images: deps images $(BUILD)/brig $(HELPERS) ## build every sandbox image and run real programs in each
	BRIG=$(BRIG) $(PYTEST) -q tests/images tests/endtoend/test_image_archives.py

# Calls for which brig has other means, and the cases in which those do the work. What happens without the calls that it has to
# have is a test of its own (tests/container/test_missing_calls.py).
FALLBACKS = openat2
FALLBACK_TESTS = $(addprefix tests/container/test_,mounts.py run.py lifecycle.py exec.py terminal.py) \
	$(addprefix tests/security/test_,console.py image_links.py mount_targets.py masked_paths.py working_directory.py)
.PHONY: test-fallbacks
test-fallbacks: $(BUILD)/brig $(HELPERS) ## run contract cases and attacks on a kernel that lacks newer calls
	@mkdir -p $(BUILD)/tests/without
	@set -e; for calls in $(FALLBACKS); do \
		echo "without $$calls"; ln -sf ../without_calls $(BUILD)/tests/without/$$calls; \
		BRIG=$(abspath $(BUILD))/tests/without/$$calls $(PYTEST) -q $(FALLBACK_TESTS); done

# As root of a user namespace: what is left of the container tests without power over the host, its limits and its devices.
NEED_HOST_ROOT = cgroups checkpoint checkpoint_policies container_network doctor guard id_mapped_mounts inspect intel_rdt net_devices \
	policy rootless scale
USER_NAMESPACE_TESTS = $(filter-out $(NEED_HOST_ROOT:%=tests/container/test_%.py),$(wildcard tests/container/test_*.py))
.PHONY: test-user-namespace
test-user-namespace: $(BUILD)/brig $(HELPERS) ## run the container tests as root of a user namespace
	BRIG=$(BRIG) tests/support/in_user_namespace $(PYTEST) -q $(USER_NAMESPACE_TESTS)

# As an ordinary user calls the runtime, with ids of his own from /etc/subuid and no cgroup.
.PHONY: test-rootless
test-rootless: $(BUILD)/brig $(HELPERS) ## run the container tests as an ordinary user: each passes or is refused in words
	BRIG=$(BRIG) BRIG_TESTS_CALLER=user $(PYTEST) -q -rs $(USER_NAMESPACE_TESTS)

.PHONY: test-engines
test-engines: deps $(BUILD)/brig $(HELPERS) ## run the engine tests with the engines of Debian 13
	images/build shell $(BUILD)/images
	tests/engines/run $(BUILD) $(TESTS)

VM ?= auto
BRIG_VM_CACHE ?= $(BUILD)/vm
VM_NEEDS = $(BUILD)/brig $(HELPERS) $(ATTACKS) $(EGRESS_RUN)
VM_RUN = tests/vm/run --vm $(VM) --build $(BUILD) --cache $(BRIG_VM_CACHE)
.PHONY: test-vm test-vm-quick vm-deps
vm-deps:
	@tools/deps --vm

test-vm: vm-deps $(VM_NEEDS) ## run the suites on pure cgroup v2 under systemd, in a virtual machine: VM=uml|qemu TESTS="SUITE|PATH..."
	$(VM_RUN) $(TESTS)

test-vm-quick: vm-deps $(VM_NEEDS) ## run what cgroup v2 and systemd change, in a virtual machine
	$(VM_RUN) --quick $(TESTS)

test-reference: deps $(HELPERS) ## run the portable contract cases against another runtime: BRIG=runc
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

IMAGES = $(shell images/build --list)
images: ## build the sandbox images into OCI layouts, root file systems and archives: IMAGES="shell node"
	@set -e; for image in $(IMAGES); do images/build $$image $(BUILD)/images; done

# A build of its own with the address and undefined-behaviour sanitizers; the static program cannot have them. Leaks are looked
# for in the unit tests alone: it takes a /proc and threads, which the others' processes do not always have.
sanitize: deps ## run the unit, kernel and command-line tests with sanitizers
	$(MAKE) $(JOBS) BUILD=$(BUILD)/sanitize SANITIZE=1 sanitize-build
	$(MAKE) BUILD=$(BUILD)/sanitize SANITIZE=1 unit
	ASAN_OPTIONS=detect_leaks=0 $(MAKE) BUILD=$(BUILD)/sanitize SANITIZE=1 kernel-tests
	BRIG=$(abspath $(BUILD)/sanitize/brig.debug) ASAN_OPTIONS=detect_leaks=0 $(PYTEST) -q $(SANITIZE_TESTS)

SANITIZE_TESTS ?= tests/container
.PHONY: sanitize-build
sanitize-build: $(BUILD)/brig.debug $(HELPERS) $(UNIT_PROGRAMS) $(BUILD)/tests/kernel

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

install: $(BUILD)/brig $(BUILD)/brig-image ## install the programs, man pages, policies and registration tools: DESTDIR= PREFIX=
	install -D -m 755 $(BUILD)/brig $(DESTDIR)$(PREFIX)/bin/brig
	install -D -m 755 $(BUILD)/brig-image $(DESTDIR)$(PREFIX)/libexec/brig/brig-image
	for page in docs/man/*.8; do install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man8/$${page##*/} || exit 1; done
	for file in policies/*.json policies/seccomp/*.json; do install -D -m 644 $$file $(DESTDIR)$(PREFIX)/share/brig/$$file || exit 1; done
	cd images && find . -type f -exec sh -c 'install -D -m "$$(stat -c %a "$$2")" "$$2" "$$1/$$2"' - $(abspath $(DESTDIR)$(PREFIX))/share/brig/images {} \;
	install -D -m 644 tools/registration.py $(DESTDIR)$(PREFIX)/share/brig/tools/registration.py
	install -D -m 755 tools/newer-criu $(DESTDIR)$(PREFIX)/share/brig/tools/newer-criu
	for tool in docker containerd podman; do \
		install -D -m 755 tools/register-$$tool $(DESTDIR)$(PREFIX)/share/brig/tools/register-$$tool || exit 1; done

uninstall: ## remove what install made
	rm -f $(DESTDIR)$(PREFIX)/bin/brig $(DESTDIR)$(PREFIX)/share/man/man8/brig.8 $(DESTDIR)$(PREFIX)/share/man/man8/brig-*.8
	rm -rf $(DESTDIR)$(PREFIX)/share/brig $(DESTDIR)$(PREFIX)/libexec/brig

clean: ## remove everything that was built
	rm -rf $(BUILD)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  %-18s %s\n", $$1, $$2}'

-include $(shell find $(BUILD)/obj $(BUILD)/fuzz -name '*.d' 2>/dev/null)
