# One Makefile for everything; `make help` lists the targets. Output goes to $(BUILD) only.
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
CXX = $(shell command -v ccache) g++
CC = gcc
VERSION := $(shell cat VERSION)
COMMIT := $(shell git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)

WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Wswitch-enum -Wnon-virtual-dtor -Wundef -Wno-missing-field-initializers -Werror
# No locale, no iostreams, no exceptions: each of them costs start-up time (docs/performance.md).
CPPFLAGS = -Iruntime -D_GNU_SOURCE -DFMT_HEADER_ONLY -DFMT_STATIC_THOUSANDS_SEPARATOR="','"
CXXFLAGS = -std=c++20 -O2 -g1 -fPIE -fno-rtti -fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffunction-sections -fdata-sections
EXCEPTIONS = -fno-exceptions
LDFLAGS = -static-pie -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,-z,noexecstack
LDLIBS = -lseccomp -lcap -ljson-c
DEPENDENCY_FLAGS = -MMD -MP

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

$(BUILD)/brig: $(call objects_of,command) $(ARCHIVES)
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
TEST_CXXFLAGS = -std=c++20 -O0 -g -Wall -Wextra -Wno-missing-field-initializers -Werror
test_objects = $(patsubst %.cpp,$(BUILD)/obj/%.o,$(wildcard tests/$(1)/*.cpp))

$(BUILD)/obj/tests/%.o: tests/%.cpp
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) -Itests $(TEST_CXXFLAGS) $(DEPENDENCY_FLAGS) -c -o $@ $<

define unit_rule
$(BUILD)/tests/unit-$(1): $(call test_objects,unit/$(1)) $(call archives_upto,$(1))
	@mkdir -p $$(@D)
	$(CXX) -o $$@ $$^ -lcriterion -lseccomp -lcap -ljson-c
endef
$(foreach layer,$(UNIT_LAYERS),$(eval $(call unit_rule,$(layer))))

# A test body must not fork or unshare; probe_NAME.cpp is a program of its own that it spawns.
KERNEL_PROBES = $(patsubst tests/kernel/probe_%.cpp,$(BUILD)/tests/probe-%,$(wildcard tests/kernel/probe_*.cpp))

$(KERNEL_PROBES): $(BUILD)/tests/probe-%: $(BUILD)/obj/tests/kernel/probe_%.o $(call archives_upto,setup)
	@mkdir -p $(@D)
	$(CXX) -o $@ $^ -lseccomp -lcap -ljson-c

$(BUILD)/tests/kernel: $(filter-out $(BUILD)/obj/tests/kernel/probe_%,$(call test_objects,kernel)) \
	$(call archives_upto,setup) | $(KERNEL_PROBES)
	@mkdir -p $(@D)
	$(CXX) -o $@ $^ -lcriterion -lseccomp -lcap -ljson-c

.PHONY: unit
unit: $(UNIT_PROGRAMS) ## run the unit tests of the pure layers
	@set -e; for program in $(UNIT_PROGRAMS); do $$program --quiet && echo "$$program ok"; done

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
