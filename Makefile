# Ripcord's build. GNU make; everything it makes goes under build/.
#
#   make all       the libraries and the command          make test       the quick tier
#   make run       the demonstration                      make test-all   all other tiers (CONTRIBUTING.md)
#   make kernel-run    the kernel in QEMU, with a shell   make kernel-test   its tests
#   make campaign      faults put into its tasks (docs/campaign.md)
#   make install PREFIX=/usr/local                        make clean
#   make compile_commands.json   for clangd and clang-tidy
#
# Variables: CC, CXX, CFLAGS, SAN=address,undefined (a build of its own below build/).

MAKEFLAGS += --no-builtin-rules
# V=1 shows the commands.
Q := $(if $(V),,@)
.DELETE_ON_ERROR:
.SECONDARY:

VERSION := 0.1.0
PREFIX  ?= /usr/local
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := g++
endif
AR     ?= ar
CFLAGS ?= -O2 -g
JOBS   ?= $(shell nproc)

comma := ,
SAN   ?=
BUILD ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))

WARN     := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wno-missing-field-initializers
# In the project itself a switch over an enumeration names all of its values; tests may pick some.
EXHAUSTIVE := -Wswitch-enum
CPPFLAGS += -Iinclude -Isrc -Isrc/arch/x86_64 -D_GNU_SOURCE -DRIPCORD_VERSION='"$(VERSION)"'
# Frames that are unwound from outside leave their red zones poisoned: none are made.
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer \
            $(if $(findstring address,$(SAN)),$(if $(findstring clang,$(CC)),-mllvm -asan-stack=0,--param=asan-stack=0)))
COMPILE   = $(CC) -std=gnu11 $(WARN) $(CPPFLAGS) $(CFLAGS) $(SANFLAGS) -fPIC -fvisibility=hidden \
            -fasynchronous-unwind-tables -MMD -MP
# ThreadSanitizer knows no fences, which the row cache is made of, and may be interrupted anywhere by a signal: what
# works in handlers goes without it. The rest is told of (RIP_WITH_TSAN).
ifneq ($(findstring thread,$(SAN)),)
CPPFLAGS += -DRIP_WITH_TSAN=1
UNWATCHED := $(foreach l,base cfi lsda arch/x86_64 port/linux unwind eh fault,$(BUILD)/obj/$(l)/%) \
             $(foreach f,kill request escalate life pace land advance hook,$(BUILD)/obj/kill/$(f).c.o) \
             $(BUILD)/obj/stop/killable.c.o $(BUILD)/obj/stop/domain.c.o \
             $(BUILD)/obj/stack/stack.c.o $(BUILD)/obj/stack/bounds.c.o
endif
# Its account of calls and returns would be a cleanup in every function of a guest, and is not told of those that a
# stop ends.
ifneq ($(findstring thread,$(SAN)),)
SANFLAGS += $(if $(findstring clang,$(CC)),-mllvm -tsan-instrument-func-entry-exit=0,--param=tsan-instrument-func-entry-exit=0)
endif
# The hot paths cross files. Objects hold machine code as well, for links without.
ifeq ($(SAN)$(findstring clang,$(CC)),)
LTO := -flto -ffat-lto-objects
endif
LDLIBS_SYMBOLIZE := -ldw -lelf -lZydis

# Objects depend on this file, which is written when the flags are other than those of the last build. `make -n` writes
# nothing.
FLAGS_FILE := $(BUILD)/flags
FLAGS_NOW  := $(strip $(COMPILE) $(LTO))
ifeq ($(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),)
ifneq ($(file <$(FLAGS_FILE)),$(FLAGS_NOW))
$(shell mkdir -p $(BUILD))$(file >$(FLAGS_FILE),$(FLAGS_NOW))
endif
endif

# --- Sources, by layer (see ARCHITECTURE.md) ---------------------------------------------------

LAYERS   := base cfi lsda arch/x86_64 port/linux unwind stack timer fault stop ledger report kill guest supervise keeper program
UNWINDER := base cfi lsda arch/x86_64 port/linux unwind eh
sources   = $(foreach l,$(1),$(wildcard src/$(l)/*.c src/$(l)/*.S))
# These call libc: see port/libc.h.
CALLERS  := $(foreach l,port/linux unwind eh stack timer fault stop ledger report kill guest keeper program,$(BUILD)/obj/$(l)/%)
by_name   = $(if $(filter $(CALLERS),$(1)),-include port/libc.h)
LIB_OBJ  := $(patsubst src/%,$(BUILD)/obj/%.o,$(call sources,$(LAYERS)))
UNW_OBJ  := $(patsubst src/%,$(BUILD)/obj/%.o,$(call sources,$(UNWINDER)))
SYM_OBJ  := $(patsubst src/%,$(BUILD)/obj/%.o,$(wildcard src/symbolize/*.c))
TOOL_OBJ := $(patsubst %,$(BUILD)/obj/%.o,$(wildcard tools/ripcord/*.c tools/ripcord/audit/*.c tools/ripcord/sweep/*.c))
# The pure layers are hidden in the library, so the command has its own.
PURE_OBJ := $(patsubst src/%,$(BUILD)/obj/%.o,$(call sources,base cfi lsda))
STUB_OBJ := $(patsubst %,$(BUILD)/obj/%.o,$(wildcard tools/guest/*.c) tools/guest/resume.S tools/guest/vfork.S)
HEADERS  := $(wildcard include/ripcord/*.h)

LIBS := $(BUILD)/lib/libripcord.a $(BUILD)/lib/libripcord.so \
        $(BUILD)/lib/libripcord-symbolize.a $(BUILD)/lib/libripcord-symbolize.so \
        $(BUILD)/lib/libripcord-unwind.so $(BUILD)/lib/ripcord/libgcc_s.so.1 $(BUILD)/lib/libripcord-core.a
TOOL := $(BUILD)/bin/ripcord
# What `ripcord cc` links into each guest.
GUEST_PARTS := $(BUILD)/lib/ripcord/guest_start.o $(BUILD)/lib/ripcord/libripcord-guest.a \
               $(BUILD)/lib/ripcord/killable.ld $(BUILD)/lib/ripcord/include/sys/cdefs.h
# The plugin is for the GCC that compiles guests, whatever compiles the rest. ripcord_plugin.so is what GCC
# loads; it finds the one for its version. PLUGIN says that it was tried: what it holds is the line that says
# why there is none, or nothing. Who would use the plugin depends on PLUGIN, and looks for PLUGIN_LOADER.
GUEST_CXX    := g++
PLUGIN_GCC   := $(shell $(GUEST_CXX) -dumpfullversion 2>/dev/null)
PLUGIN_HEADERS := $(wildcard $(shell $(GUEST_CXX) -print-file-name=plugin 2>/dev/null)/include)
PLUGIN_LOADER  := $(BUILD)/lib/ripcord/ripcord_plugin.so
PLUGIN_ITSELF  := $(BUILD)/lib/ripcord/ripcord_plugin-$(PLUGIN_GCC).so
PLUGIN := $(BUILD)/obj/plugin-$(PLUGIN_GCC)$(if $(PLUGIN_HEADERS),,-without-headers).tried
# The build tree looks like an installed one, so that the command finds its parts in both.
# gdb looks for it beside the library, under this name.
GDB_SCRIPT := $(BUILD)/lib/libripcord.so-gdb.py
PUBLIC := $(patsubst %,$(BUILD)/%,$(HEADERS))

.PHONY: all run test test-all install clean setup setup-all setup-bench
all: $(LIBS) $(TOOL) $(GUEST_PARTS) $(PUBLIC) $(PLUGIN) $(GDB_SCRIPT)
	@cat $(PLUGIN)

$(FLAGS_FILE): ;
$(BUILD)/obj/%.c.o: src/%.c $(FLAGS_FILE)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(EXHAUSTIVE) $(call by_name,$@) $(if $(filter $(UNWATCHED),$@),-fno-sanitize=thread) $(LTO) -c $< -o $@
# LLVM 14's assembler goes on with the wrong CFA offset behind .cfi_restore_state, as `ripcord audit` says of the switches.
$(BUILD)/obj/%.S.o: src/%.S $(FLAGS_FILE)
	@mkdir -p $(@D)
	$(Q)$(subst clang,gcc,$(CC)) $(CPPFLAGS) -g -MMD -MP -c $< -o $@
$(BUILD)/obj/tools/ripcord/%.c.o: tools/ripcord/%.c $(FLAGS_FILE)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(EXHAUSTIVE) -c $< -o $@
# Their code is told from the guest's by its section (ripcord/killable.h).
NAME_PARTS := objcopy $(foreach s,.text .text.unlikely .text.startup .text.hot,--rename-section $(s)=ripcord_parts)
# Guest parts run inside guests: plain code without the sanitizers. They define what glibc's headers have inline. While
# they wait for libc they are on the stack, and nothing stands in between: kills look for them there.
$(BUILD)/obj/tools/guest/%.c.o: tools/guest/%.c $(FLAGS_FILE)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(WARN) $(CPPFLAGS) -O2 -g -fPIC -fvisibility=hidden -fexceptions \
	    -fasynchronous-unwind-tables -fno-optimize-sibling-calls -fno-plt -D__NO_INLINE__ -MMD -MP -c $< -o $@
	$(Q)$(NAME_PARTS) $@

# This one is killable, like what it is linked to; where there is no plugin it is empty, and guests have libc's.
SORT_OBJ := $(BUILD)/obj/tools/guest/sort.c.o
$(SORT_OBJ): tools/guest/sort.c $(PLUGIN)
	@mkdir -p $(@D)
	$(Q)what='-fplugin=$(PLUGIN_LOADER) $<'; [ -e $(PLUGIN_LOADER) ] || what='-x c /dev/null'; gcc -std=gnu11 $(WARN) $(CPPFLAGS) -O2 -g -fPIC -fvisibility=hidden \
	    -fexceptions -fnon-call-exceptions -fasynchronous-unwind-tables -fstack-clash-protection -MMD -MP -c $$what -o $@

$(BUILD)/obj/tools/guest/%.S.o: tools/guest/%.S
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -MMD -MP -c $< -o $@
	$(Q)$(NAME_PARTS) $@

# The functions that stand in front of libc's are the shared library's.
$(BUILD)/lib/libripcord.a: $(filter-out %/guest/plain_exits.c.o,$(LIB_OBJ))
$(BUILD)/lib/libripcord-symbolize.a: $(SYM_OBJ)
$(BUILD)/lib/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/lib/libripcord.so: $(LIB_OBJ)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared $(CFLAGS) $(LTO) $(SANFLAGS) -Wl,-soname,libripcord.so -Wl,-z,defs -Wl,-z,now $^ -o $@ -lgcc_s
# The drop-in unwinder, under two names: to be linked or preloaded, and as the libgcc_s.so.1 that glibc opens by
# that name. The second needs the machine's own one for the arithmetic helpers; an empty library stands in for it
# at link time, so that the dependency is recorded by path and not by the name that both have.
UNWIND_LINK = $(CC) -shared $(CFLAGS) $(LTO) $(SANFLAGS) -Wl,--version-script,src/eh/libgcc.map -Wl,-z,defs -Wl,-z,now
LIBGCC_S := $(shell $(CC) -print-file-name=libgcc_s.so.1 2>/dev/null)

$(BUILD)/lib/libripcord-unwind.so: $(UNW_OBJ) src/eh/libgcc.map
	@mkdir -p $(@D)
	$(Q)$(UNWIND_LINK) -Wl,-soname,libripcord-unwind.so $(UNW_OBJ) -o $@
$(BUILD)/obj/real_libgcc_s.so:
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -nostdlib -Wl,-soname,$(realpath $(LIBGCC_S)) -x c /dev/null -o $@
$(BUILD)/lib/ripcord/libgcc_s.so.1: $(UNW_OBJ) $(BUILD)/obj/real_libgcc_s.so src/eh/libgcc.map
	@mkdir -p $(@D)
	$(Q)$(UNWIND_LINK) -Wl,-soname,libgcc_s.so.1 $(UNW_OBJ) -o $@ \
	    -Wl,--no-as-needed $(BUILD)/obj/real_libgcc_s.so

$(BUILD)/lib/libripcord-symbolize.so: $(SYM_OBJ) $(BUILD)/lib/libripcord.so
	@mkdir -p $(@D)
	$(Q)$(CC) -shared $(SANFLAGS) -Wl,-soname,libripcord-symbolize.so -Wl,-z,defs -Wl,-rpath,'$$ORIGIN' \
	    $(SYM_OBJ) -o $@ -L$(BUILD)/lib -lripcord $(LDLIBS_SYMBOLIZE)

$(TOOL): $(TOOL_OBJ) $(PURE_OBJ) $(BUILD)/lib/libripcord.so $(BUILD)/lib/libripcord-symbolize.so
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LTO) $(SANFLAGS) $(TOOL_OBJ) $(PURE_OBJ) -o $@ -Wl,--export-dynamic-symbol=rip_sweep_note -L$(BUILD)/lib -lripcord-symbolize -lripcord \
	    $(LDLIBS_SYMBOLIZE) -Wl,-rpath,'$$ORIGIN/../lib'

$(BUILD)/lib/ripcord/guest_start.o: tools/guest/start.S
	@mkdir -p $(@D)
	$(Q)$(CC) -c $< -o $@
$(BUILD)/lib/ripcord/libripcord-guest.a: $(STUB_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^
$(BUILD)/lib/ripcord/%.ld: tools/guest/%.ld
	@mkdir -p $(@D)
	$(Q)cp $< $@
$(BUILD)/lib/ripcord/include/%: tools/guest/include/%
	@mkdir -p $(@D)
	$(Q)cp $< $@
$(BUILD)/include/%: include/%
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(GDB_SCRIPT): tools/gdb/ripcord-gdb.py
	@mkdir -p $(@D)
	$(Q)cp $< $@

# GCC's headers are C++, and not written for our warnings. A GCC that the plugin does not know may be too
# different for it: then it is left out, and the rest works without. NEED_PLUGIN=1 makes that an error.
PLUGIN_COMPILE = $(GUEST_CXX) -std=gnu++17 -Wall -Wextra -Werror -Wno-unused-parameter -isystem $(PLUGIN_HEADERS) \
                 -Iinclude -O2 -fno-rtti -fno-exceptions -fPIC -fvisibility=hidden -shared
PLUGIN_LOST    = guests get no polls, so kills wait for their grace and then lose what cleanups hold
NEED_PLUGIN   ?=
ifneq ($(PLUGIN_HEADERS),)
PLUGIN_MISSING = it cannot be built for GCC $(PLUGIN_GCC) ($(@:.tried=.log) says why)
$(PLUGIN): $(wildcard plugin/*.cc plugin/*.h plugin/load/*.cc) include/ripcord/killable.h
	@mkdir -p $(@D) $(dir $(PLUGIN_LOADER))
	@rm -f $(PLUGIN_LOADER) $(PLUGIN_ITSELF) $@
	$(Q){ $(PLUGIN_COMPILE) $(wildcard plugin/*.cc) -o $(PLUGIN_ITSELF) && \
	    $(PLUGIN_COMPILE) plugin/load/load.cc -o $(PLUGIN_LOADER) -ldl && \
	    silence=$$(echo 'void f(int *i) { for (;;) ++*i; }' | gcc -O2 -fplugin=$(PLUGIN_LOADER) -x c - -S -o /dev/null 2>&1) && \
	    echo "$$silence" && [ -z "$$silence" ]; } > $(@:.tried=.log) 2>&1 && : > $@ || \
	    { rm -f $(PLUGIN_LOADER) $(PLUGIN_ITSELF); $(PLUGIN_LEFT_OUT); }
else
PLUGIN_MISSING = GCC $(PLUGIN_GCC) has no plugin headers here
$(PLUGIN):
	@mkdir -p $(@D)
	@rm -f $(PLUGIN_LOADER)
	$(Q)$(PLUGIN_LEFT_OUT)
endif
PLUGIN_LEFT_OUT = line='plugin: left out, $(PLUGIN_MISSING): $(PLUGIN_LOST)'; \
                  if [ '$(NEED_PLUGIN)' ]; then echo "$$line" >&2; tail -n 20 $(@:.tried=.log) >&2; false; else echo "$$line" > $@; fi

# --- Install -----------------------------------------------------------------------------------

INSTALL  ?= install
LDCONFIG ?= /sbin/ldconfig
DEST      = $(DESTDIR)$(PREFIX)
PC_FILES := $(patsubst pkgconfig/%.pc.in,%,$(wildcard pkgconfig/*.pc.in))

install: all
	$(INSTALL) -d '$(DEST)/bin' '$(DEST)/lib/pkgconfig' '$(DEST)/lib/ripcord/include/sys' \
	    '$(DEST)/include/ripcord' '$(DEST)/share/man/man1'
	$(INSTALL) -m 755 $(TOOL) '$(DEST)/bin'
	$(INSTALL) -m 644 $(filter %.a,$(LIBS)) '$(DEST)/lib'
	$(INSTALL) -m 755 $(filter %.so,$(LIBS)) '$(DEST)/lib'
	$(INSTALL) -m 755 $(BUILD)/lib/ripcord/libgcc_s.so.1 '$(DEST)/lib/ripcord'
	$(INSTALL) -m 644 $(GDB_SCRIPT) '$(DEST)/lib'
	$(INSTALL) -m 644 $(filter %.o %.a %.ld,$(GUEST_PARTS)) '$(DEST)/lib/ripcord'
	[ ! -e $(PLUGIN_LOADER) ] || $(INSTALL) -m 755 $(PLUGIN_LOADER) $(PLUGIN_ITSELF) '$(DEST)/lib/ripcord'
	$(INSTALL) -m 644 tools/guest/include/sys/cdefs.h '$(DEST)/lib/ripcord/include/sys'
	$(INSTALL) -m 644 $(HEADERS) '$(DEST)/include/ripcord'
	$(INSTALL) -m 644 $(wildcard man/*.1) '$(DEST)/share/man/man1'
	for pc in $(PC_FILES); do sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' \
	    pkgconfig/$$pc.pc.in >'$(DEST)/lib/pkgconfig/'$$pc.pc || exit; done
# The loader finds libraries by its cache, which is root's. With DESTDIR they are not this machine's yet.
	$(if $(DESTDIR),,[ "$$(id -u)" != 0 ] || $(LDCONFIG))

include src/core/core.mk
include kernel/kernel.mk
-include tests/tests.mk
-include examples/examples.mk
-include bench/bench.mk

# --- Housekeeping ------------------------------------------------------------------------------

setup:
	@scripts/setup quick
setup-all:
	@scripts/setup all
setup-bench:
	@scripts/setup bench

# For clangd and clang-tidy.
.PHONY: compile_commands.json
compile_commands.json:
	@$(MAKE) --no-print-directory -nB all | scripts/compile-commands > $@.new && mv $@.new $@

clean:
	rm -rf build compile_commands.json

-include $(LIB_OBJ:.o=.d) $(UNW_OBJ:.o=.d) $(SYM_OBJ:.o=.d) $(TOOL_OBJ:.o=.d) $(STUB_OBJ:.o=.d)
