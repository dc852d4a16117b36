# The test programs. tests/AREA/NAME.c becomes build/tests/AREA/NAME, linked statically with the library
# so that it reaches internal functions; tests/AREA/NAME.sh is a TAP script; files named *_lib.c,
# *_guest.c and *_data.c are parts of other tests; tests/fuzz/ is built by fuzz.mk.

TEST_PROG := $(patsubst tests/%.c,$(BUILD)/tests/%,\
             $(filter-out %_lib.c %_guest.c %_data.c tests/fuzz/%,$(wildcard tests/*/*.c)))
# Tests of what optimisation changes are built at each level: build/tests/AREA/NAME-O1 and so on.
LEVELS     := O0 O1 O2 O3 Os
LEVELED    := guest/pushed $(addprefix guest/,exact frames cleanups causes yield segments nested_errors)
LEVEL_PROG := $(foreach t,$(LEVELED),$(LEVELS:%=$(BUILD)/tests/$(t)-%))
CXX_PROG   := $(patsubst tests/%.cc,$(BUILD)/tests/%,$(filter-out %_lib.cc %_guest.cc,$(wildcard tests/*/*.cc)))
TEST_PROG  := $(filter-out $(LEVELED:%=$(BUILD)/tests/%),$(TEST_PROG)) $(LEVEL_PROG) $(CXX_PROG)
# Guests and their host in one file, with the library shared, in it, and in it with link-time optimization.
OWNING     := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/ledger/owned*.c))
OWNING_ONE := $(OWNING:%=%-static) $(BUILD)/tests/ledger/owned-lto
TEST_PROG  += $(OWNING_ONE)
TEST_SH   := $(wildcard tests/*/*.sh)
# What the sanitizers' and clang's tiers leave out, and why: tests/left_out.
VARIANT   := $(if $(findstring address,$(SAN)),address,$(if $(findstring thread,$(SAN)),thread,$(if $(findstring clang,$(CC)),clang)))
left_out   = $(shell awk -v tier=$(1) '$$1 == tier { sub(/:.*/, ""); $$1 = ""; print }' tests/left_out)
LEFT_OUT  := $(filter $(if $(VARIANT),$(call left_out,$(VARIANT))),$(TEST_PROG:$(BUILD)/tests/%=%) $(TEST_SH:tests/%=%))
TEST_PROG := $(filter-out $(LEFT_OUT:%=$(BUILD)/tests/%),$(TEST_PROG))
TEST_SH   := $(filter-out $(LEFT_OUT:%=tests/%),$(TEST_SH))
# Prints a line for each of these that the tier leaves out: TIER, NAMES.
tell_left_out = @printf '%s\n' $(2) | awk -v tier=$(1) -f scripts/left-out.awk tests/left_out -

# Tests hold guest code, so GCC compiles them, with what `ripcord cc` would give.
GUEST_FLAGS := -fexceptions -fnon-call-exceptions -fno-delete-dead-exceptions -fstack-clash-protection
# Without link-time optimization, which would compile the whole library anew for each test.
TEST_COMPILE = $(subst $(CC) -std,gcc -std,$(COMPILE)) $(GUEST_FLAGS) -fno-lto -Itests

# Where there is no plugin, what needs it is a program that says so.
NO_PLUGIN  = printf '\#!/bin/sh\necho "1..0 \# SKIP needs the plugin, which was left out"\nexit 77\n' > $@ && chmod +x $@
IF_PLUGIN  = [ -e $(PLUGIN_LOADER) ] || { $(NO_PLUGIN); exit; };
THE_PLUGIN = -fplugin=$(PLUGIN_LOADER)

# The programs that this one kills are killed at polls.
$(BUILD)/tests/real/kills: $(PLUGIN)
$(BUILD)/tests/real/kills: NEEDS = $(IF_PLUGIN)

$(BUILD)/tests/%: tests/%.c $(BUILD)/lib/libripcord.a
	@mkdir -p $(@D)
	$(Q)$(NEEDS) $(TEST_COMPILE) $< -o $@ $(BUILD)/lib/libripcord.a -pthread -ldl $(TEST_LIBS_$(notdir $@))

define LEVEL_RULE
$$(BUILD)/tests/%-$(1): tests/%.c $$(BUILD)/lib/libripcord.a
	@mkdir -p $$(@D)
	$$(Q)$$(TEST_COMPILE) -$(1) $$< -o $$@ $$(BUILD)/lib/libripcord.a -pthread -ldl
endef
$(foreach level,$(LEVELS),$(eval $(call LEVEL_RULE,$(level))))

$(BUILD)/tests/%: tests/%.cc $(BUILD)/lib/libripcord.a
	@mkdir -p $(@D)
	$(Q)g++ -std=gnu++17 -Wall -Wextra -Werror $(CPPFLAGS) $(CFLAGS) $(SANFLAGS) -MMD -MP $(GUEST_FLAGS) -fno-lto -Itests \
	    $< -o $@ $(BUILD)/lib/libripcord.a -pthread -ldl

# Those whose guests are killed at polls.
OWNING_KILLED := $(foreach t,kill mask sort stack waiting,$(filter $(BUILD)/tests/ledger/owned_$(t) $(BUILD)/tests/ledger/owned_$(t)-%,$(OWNING) $(OWNING_ONE)))
$(OWNING_KILLED): NEEDS = $(IF_PLUGIN)

# Built as a user would.
$(OWNING): $(BUILD)/tests/%: tests/%.c $(TOOL) $(GUEST_PARTS) $(PUBLIC) $(PLUGIN) $(BUILD)/lib/libripcord.so
	@mkdir -p $(@D)
	$(Q)$(NEEDS) $(TOOL) cc -D_GNU_SOURCE -std=gnu11 $(WARN) -O2 -g -Itests -MMD -MP $< -o $@ -L$(BUILD)/lib -lripcord \
	    -Wl,-rpath,'$$ORIGIN/../../lib'
OWN_IN_ONE = $(TOOL) cc -D_GNU_SOURCE -std=gnu11 $(WARN) -O2 -g -Itests -MMD -MP $< -o $@ $(BUILD)/lib/libripcord.a
$(BUILD)/tests/ledger/%-static: tests/ledger/%.c $(TOOL) $(GUEST_PARTS) $(PUBLIC) $(PLUGIN) $(BUILD)/lib/libripcord.a
	@mkdir -p $(@D)
	$(Q)$(NEEDS) $(OWN_IN_ONE) -fno-lto
$(BUILD)/tests/ledger/%-lto: tests/ledger/%.c $(TOOL) $(GUEST_PARTS) $(PUBLIC) $(PLUGIN) $(BUILD)/lib/libripcord.a
	@mkdir -p $(@D)
	$(Q)$(NEEDS) $(OWN_IN_ONE) -flto

# Linked with the drop-in instead.
$(BUILD)/tests/eh/%: tests/eh/%.cc $(BUILD)/lib/libripcord-unwind.so
	@mkdir -p $(@D)
	$(Q)g++ -std=gnu++17 -Wall -Wextra -Werror $(CPPFLAGS) $(CFLAGS) $(SANFLAGS) -MMD -MP $< -o $@ -pthread \
	    -Wl,--no-as-needed -L$(BUILD)/lib -lripcord-unwind -Wl,-rpath,$(abspath $(BUILD)/lib)
# What the tests of the drop-in preload to see that it is in use.
$(BUILD)/tests/eh/in_use.so: tests/eh/in_use_lib.c
	@mkdir -p $(@D)
	$(Q)gcc -shared -fPIC -O1 -D_GNU_SOURCE $< -o $@

# The core's own way: without the library, and with tasks as a kernel has them.
CORE_TASK_FLAGS := -std=gnu11 $(WARN) -Iinclude -O2 -g -ffreestanding -fexceptions -fnon-call-exceptions \
                   -fno-delete-dead-exceptions -fasynchronous-unwind-tables -mno-red-zone -mgeneral-regs-only
$(BUILD)/obj/tests/core/tasks_lib.o: tests/core/tasks_lib.c
	@mkdir -p $(@D)
	$(Q)gcc $(CORE_TASK_FLAGS) -MMD -MP -c $< -o $@
$(BUILD)/obj/tests/core/killed_lib.o: tests/core/killed_lib.c $(PLUGIN)
	@mkdir -p $(@D)
	$(Q)gcc $(CORE_TASK_FLAGS) $$([ ! -e $(PLUGIN_LOADER) ] || echo $(THE_PLUGIN)) -MMD -MP -c $< -o $@
$(BUILD)/tests/core/tasks: $(BUILD)/obj/tests/core/tasks_lib.o
$(BUILD)/tests/core/kill: $(BUILD)/obj/tests/core/killed_lib.o
$(BUILD)/tests/core/kill: NEEDS = $(IF_PLUGIN)
$(BUILD)/tests/core/%: tests/core/%.c $(BUILD)/lib/libripcord-core.a
	@mkdir -p $(@D)
	$(Q)$(NEEDS) gcc -std=gnu11 $(WARN) $(CPPFLAGS) $(CFLAGS) -Itests -MMD -MP $(filter %.c %.o,$^) -o $@ \
	    $(BUILD)/lib/libripcord-core.a

# What is killed is killable.
$(BUILD)/tests/kill/%: tests/kill/%.c $(BUILD)/lib/libripcord.a $(PLUGIN)
	@mkdir -p $(@D)
	$(Q)$(IF_PLUGIN) $(TEST_COMPILE) $(THE_PLUGIN) $< -o $@ $(BUILD)/lib/libripcord.a -pthread -ldl

$(BUILD)/tests/kill/%: tests/kill/%.cc $(BUILD)/lib/libripcord.a $(PLUGIN)
	@mkdir -p $(@D)
	$(Q)$(IF_PLUGIN) g++ -std=gnu++17 -Wall -Wextra -Werror $(CPPFLAGS) $(CFLAGS) $(SANFLAGS) -MMD -MP $(GUEST_FLAGS) -fno-lto -Itests \
	    $(THE_PLUGIN) $< -o $@ $(BUILD)/lib/libripcord.a -pthread -ldl
$(BUILD)/tests/keeper/tree: tests/keeper/tree.c $(BUILD)/lib/libripcord.a $(PLUGIN)
	@mkdir -p $(@D)
	$(Q)$(IF_PLUGIN) $(TEST_COMPILE) $(THE_PLUGIN) $< -o $@ $(BUILD)/lib/libripcord.a -pthread -ldl

# The soak's guests are built as a user would build them; with a sanitizer, as the tests of kills are.
SOAK_FLAGS := -D_GNU_SOURCE -Wall -Wextra -O2 -g -Iinclude -Itests -MMD -MP
SOAK_CC  = $(if $(SAN),$(TEST_COMPILE) $(THE_PLUGIN),$(TOOL) cc -std=gnu11 $(SOAK_FLAGS))
SOAK_CXX = $(if $(SAN),g++ -std=gnu++17 $(CPPFLAGS) $(CFLAGS) $(SANFLAGS) -Itests -MMD -MP $(GUEST_FLAGS) \
           $(THE_PLUGIN),$(TOOL) c++ -std=gnu++17 $(SOAK_FLAGS))
SOAK_OBJ := $(patsubst %,$(BUILD)/obj/tests/soak/%.o,soak.c c_guest.c cxx_guest.cc)
$(BUILD)/obj/tests/soak/%.c.o: tests/soak/%.c $(TOOL) $(GUEST_PARTS) $(PUBLIC) $(PLUGIN)
	@mkdir -p $(@D)
	$(Q)$(IF_PLUGIN) $(SOAK_CC) -c $< -o $@
$(BUILD)/obj/tests/soak/%.cc.o: tests/soak/%.cc $(TOOL) $(GUEST_PARTS) $(PUBLIC) $(PLUGIN)
	@mkdir -p $(@D)
	$(Q)$(IF_PLUGIN) $(SOAK_CXX) -c $< -o $@
$(BUILD)/tests/soak/soak_plugin.so: tests/soak/plugin_data.c $(TOOL) $(GUEST_PARTS) $(PUBLIC) $(PLUGIN)
	@mkdir -p $(@D)
	$(Q)$(TOOL) cc -shared $(SOAK_FLAGS) $< -o $@
$(BUILD)/tests/soak/soak: $(SOAK_OBJ) $(BUILD)/tests/soak/soak_plugin.so $(BUILD)/lib/libripcord.so $(BUILD)/lib/libripcord.a
	@mkdir -p $(@D)
	$(Q)$(IF_PLUGIN) $(if $(SAN),g++ $(SANFLAGS),$(TOOL) c++) $(SOAK_OBJ) -o $@ $(if $(SAN),$(BUILD)/lib/libripcord.a -pthread -ldl,\
	    -L$(BUILD)/lib -lripcord -Wl,-rpath,'$$ORIGIN/../../lib')
-include $(SOAK_OBJ:.o=.d)

# Races are forced at sync points (src/base/sync.h), in objects of their own.
SYNC_OBJ := $(patsubst src/%,$(BUILD)/sync/%.o,$(foreach l,timer fault stop ledger kill guest keeper,$(wildcard src/$(l)/*.c)))
$(BUILD)/sync/%.c.o: src/%.c $(FLAGS_FILE)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(call by_name,$(@:$(BUILD)/sync/%=$(BUILD)/obj/%)) $(if $(filter $(UNWATCHED),$(@:$(BUILD)/sync/%=$(BUILD)/obj/%)),-fno-sanitize=thread) \
	    -DRIPCORD_SYNC_POINTS -c $< -o $@
$(BUILD)/sync/libripcord.a: $(SYNC_OBJ) $(filter-out $(SYNC_OBJ:$(BUILD)/sync/%=$(BUILD)/obj/%),$(LIB_OBJ))
	@rm -f $@
	$(Q)$(AR) rcs $@ $^
$(BUILD)/tests/kill/races $(BUILD)/tests/kill/table $(BUILD)/tests/keeper/races $(BUILD)/tests/ledger/attached: $(BUILD)/tests/%: tests/%.c $(BUILD)/sync/libripcord.a $(PLUGIN)
	@mkdir -p $(@D)
	$(Q)$(IF_PLUGIN) $(TEST_COMPILE) $(THE_PLUGIN) $< -o $@ $(BUILD)/sync/libripcord.a -pthread -ldl
-include $(SYNC_OBJ:.o=.d)

TEST_LIBS_symbols := $(BUILD)/lib/libripcord-symbolize.a $(LDLIBS_SYMBOLIZE)
$(BUILD)/tests/symbolize/symbols: $(BUILD)/lib/libripcord-symbolize.a

# Steps through guests; they find what they acquire and release in it.
SWEEP := $(BUILD)/tests/plugin/exact/sweep
TEST_LIBS_sweep := -rdynamic

TEST_ENV := TSAN_OPTIONS=suppressions=$(abspath tests/tsan.supp) BUILD=$(BUILD) SAN=$(SAN) CC='$(CC)' CXX='$(CXX)' \
            CFLAGS='$(CFLAGS)' LTO='$(LTO)'

# Writes random programs (tests/fuzz/fuzz.mk).
EXACT_GENERATOR := $(BUILD)/fuzz/exact/generate

# What scripts of the tier use.
FOR_SCRIPTS := $(if $(filter tests/plugin/% tests/sweep/%,$(TEST_SH)),$(SWEEP)) \
               $(if $(filter tests/cc/% tests/plugin/% tests/sweep/%,$(TEST_SH)),$(EXACT_GENERATOR)) \
               $(if $(filter tests/eh/%,$(TEST_SH)),$(BUILD)/tests/eh/in_use.so)

.PHONY: test-only
test-only: all $(if $(findstring thread,$(SAN)),,examples) $(TEST_PROG) $(FOR_SCRIPTS)
	@rm -f $(BUILD)/tests/skipped
	$(if $(LEFT_OUT),$(call tell_left_out,$(VARIANT),$(LEFT_OUT)))
	$(TEST_ENV) SKIPPED=$(BUILD)/tests/skipped prove -j$(JOBS) --timer --exec scripts/run-test $(TEST_PROG) $(TEST_SH)
	@[ ! -e $(BUILD)/tests/skipped ] || echo "$$(wc -l < $(BUILD)/tests/skipped) tests were skipped; why stands behind their names above"
	@cat $(PLUGIN)
test: setup
	@$(MAKE) --no-print-directory -j$(JOBS) test-only

# --- The second tier: the same tests another way, and what takes longer ----------------------------

# Under valgrind: programs whose code runs no guest, and of the others these. tests/left_out says why not more.
GUEST_TEST_PROG := $(filter $(patsubst %,$(BUILD)/tests/%,guest/threads guest/yield-O2 guest/exits guest/cleanups-O2 \
                   guest/hold guest/data guest/on_stop guest/backtrace guest/nested guest/limits guest/hostcalls foreign/forced \
                   stop/limits stack/pool),$(TEST_PROG))
PLAIN_TEST_PROG := $(filter $(BUILD)/tests/base/% $(BUILD)/tests/cfi/% $(BUILD)/tests/lsda/%,$(TEST_PROG))
NOT_IN_VALGRIND := $(patsubst $(BUILD)/tests/%,%,$(filter-out $(GUEST_TEST_PROG) $(PLAIN_TEST_PROG),$(TEST_PROG)))
FUZZ_SECONDS ?= 20

# Scripts of this tier alone: other compilers, whole programs. They lie in tests/AREA/all/.
TEST_ALL_SH := $(filter-out tests/kernel/%,$(wildcard tests/*/all/*.sh))

# KILLS=number, SEED=number, GUEST=name: see tests/soak/soak.c.
.PHONY: soak
soak: $(BUILD)/tests/soak/soak
	KILLS=$(or $(KILLS),500000) TEST_LIMIT=7200 scripts/run-test $<

# Each tier is a target of its own, test-TIER; scripts/test-all runs them all and tells what became of each.
TIERS   := setup kernel asan tsan clang others valgrind fuzz differential
VARYING  = @$(MAKE) --no-print-directory -k -j$(JOBS)
.PHONY: test-all $(TIERS:%=test-%)
test-all:
	@MAKE='$(MAKE)' LOGS=$(BUILD)/test-all scripts/test-all $(TIERS)
test-setup: setup-all
test-kernel: kernel-test
test-asan:
	$(VARYING) SAN=address,undefined test-only
test-tsan:
	$(VARYING) SAN=thread test-only
test-clang:
	$(VARYING) CC=clang CXX=clang++ BUILD=build/clang test-only
# Other compilers, whole programs.
test-others:
	$(VARYING) all $(SWEEP) $(EXACT_GENERATOR) $(BUILD)/tests/eh/in_use.so
	@scripts/fetch-libcxx || echo 'the tests with libc++ are left out'
	@$(TEST_ENV) TEST_LIMIT=600 prove -j$(JOBS) --timer --exec scripts/run-test $(TEST_ALL_SH)
test-valgrind:
	$(VARYING) $(PLAIN_TEST_PROG) $(GUEST_TEST_PROG)
	$(call tell_left_out,valgrind,$(NOT_IN_VALGRIND))
	@status=0; \
	prove -j$(JOBS) --timer --exec 'valgrind -q --error-exitcode=9 --leak-check=full' $(PLAIN_TEST_PROG) || status=1; \
	prove -j$(JOBS) --timer --exec scripts/run-valgrind $(GUEST_TEST_PROG) || status=1; exit $$status
test-fuzz:
	$(VARYING) fuzz SECONDS=$(FUZZ_SECONDS)
# The unwinder beside a shadow stack.
test-differential: all
	@$(TEST_ENV) DIFFERENTIAL_INSTRUCTIONS=1000000 TEST_LIMIT=600 prove --timer --exec scripts/run-test tests/unwind/differential.sh

-include $(TEST_PROG:=.d) $(SWEEP).d
-include tests/fuzz/fuzz.mk
