# Benchmarks: never part of a test. `make bench` prints every figure beside its peers'.

BENCH := $(BUILD)/bench
BENCH_PROGRAMS := $(BENCH)/unwind $(BENCH)/stop $(BENCH)/keeper $(BENCH)/pool $(if $(wildcard $(PLUGIN_LOADER)),$(BENCH)/kill) $(BENCH)/ledger $(BENCH)/ledger-guest \
                  $(BENCH)/ledger-plain \
                  $(if $(wildcard /usr/include/boost/context),$(BENCH)/switch) \
                  $(if $(shell command -v rustc 2>/dev/null),$(BENCH)/panic)

.PHONY: bench
bench: all $(BENCH_PROGRAMS)
	@bench/run $(BUILD)

$(BENCH)/unwind: bench/unwind.cc
	@mkdir -p $(@D)
	$(Q)$(CXX) -O2 -fno-omit-frame-pointer -ftemplate-depth=2000 -Wall -Wextra -Werror $< -o $@ -pthread -ldl
$(BENCH)/panic: bench/panic.rs
	@mkdir -p $(@D)
	$(Q)rustc -O -C prefer-dynamic=no $< -o $@
# Guest code, the engine's own objects, and a guest's _Unwind_Resume.
$(BENCH)/stop: bench/stop.c $(BUILD)/lib/libripcord.a $(BUILD)/lib/ripcord/libripcord-guest.a
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu11 -O2 -flto $(WARN) $(CPPFLAGS) -fexceptions -fnon-call-exceptions $< -o $@ \
	    $(BUILD)/lib/ripcord/libripcord-guest.a $(BUILD)/lib/libripcord.a -pthread -ldl
# Without a guest's stubs: the library's own calls of malloc would become a guest's.
$(BENCH)/keeper: bench/keeper.c $(BUILD)/lib/libripcord.a $(BUILD)/obj/tools/guest/resume.S.o
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu11 -O2 $(WARN) $(CPPFLAGS) -fexceptions -fnon-call-exceptions $< -o $@ \
	    $(BUILD)/obj/tools/guest/resume.S.o $(BUILD)/lib/libripcord.a -pthread -ldl
# The library's own heap, beside what else could be one; and the same loops as a guest and as a plain program.
$(BENCH)/ledger: bench/ledger.c $(BUILD)/lib/libripcord.a
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu11 -O2 -flto $(WARN) $(CPPFLAGS) $< -o $@ $(BUILD)/lib/libripcord.a -pthread -ldl
$(BENCH)/ledger-guest: bench/ledger_guest.c $(TOOL) $(GUEST_PARTS) $(PUBLIC) $(LIBS)
	@mkdir -p $(@D)
	$(Q)$(TOOL) cc -O2 -DRIPCORD_GUEST $< -o $@ -L$(BUILD)/lib -lripcord -Wl,-rpath,'$$ORIGIN/../lib'
$(BENCH)/ledger-plain: bench/ledger_guest.c
	@mkdir -p $(@D)
	$(Q)gcc -O2 -fno-builtin-malloc -fno-builtin-free $< -o $@
# Beside boost.context (libboost-context-dev). The library is linked as a host would that wants it fast.
$(BENCH)/switch: bench/switch.cc $(BUILD)/lib/libripcord.a
	@mkdir -p $(@D)
	$(Q)g++ -std=gnu++17 -O2 -flto -Wall -Wextra -Werror -Iinclude -fexceptions $< -o $@ $(BUILD)/lib/libripcord.a \
	    -lboost_context -pthread -ldl
# Guest code, with a guest's _Unwind_Resume; Boost.Context beside it where it is installed.
BOOST_CONTEXT := $(if $(wildcard /usr/include/boost/context/fiber.hpp),-lboost_context)
$(BENCH)/pool: bench/pool.cc $(BUILD)/lib/libripcord.a $(BUILD)/obj/tools/guest/resume.S.o
	@mkdir -p $(@D)
	$(Q)g++ -std=gnu++17 -O2 -Wall -Wextra -Werror -Iinclude -fexceptions -fnon-call-exceptions $< -o $@ \
	    $(BUILD)/obj/tools/guest/resume.S.o $(BUILD)/lib/libripcord.a $(BOOST_CONTEXT) -pthread -ldl

# What killable code costs.
.PHONY: bench-plugin
bench-plugin: all
	@BUILD=$(BUILD) bench/plugin
# The same and whole programs, beside the command of an earlier build: make bench-compare BEFORE=OTHER/build/bin/ripcord.
.PHONY: bench-compare
bench-compare: all
	@BUILD=$(BUILD) bench/compare $(BEFORE)

# Killable code, with a guest's qsort.
$(BENCH)/kill: bench/kill.c $(BUILD)/lib/libripcord.a $(SORT_OBJ) $(PLUGIN)
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu11 -O2 $(WARN) $(CPPFLAGS) -fexceptions -fnon-call-exceptions -fno-delete-dead-exceptions \
	    -fplugin=$(PLUGIN_LOADER) $< -o $@ $(SORT_OBJ) $(BUILD)/lib/libripcord.a -pthread -ldl

# Kills in a whole interpreter.
$(BENCH)/kill_duktape: bench/kill_duktape.c $(BUILD)/lib/libripcord.a
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu11 -O2 -fno-lto $(WARN) $(CPPFLAGS) $< -o $@ $(BUILD)/lib/libripcord.a -pthread -ldl
.PHONY: bench-duktape
bench-duktape: all $(BENCH)/kill_duktape
	@BUILD=$(BUILD) scripts/build-duktape guest
	@$(BENCH)/kill_duktape $(BUILD)/duktape/guest $(foreach s,loop regexp join sort,tests/real/js/endless_$(s).js)
