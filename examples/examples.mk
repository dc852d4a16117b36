# The examples. build/examples/: the demonstration (host, guests), the embedding example, keepers.

DEMO := $(BUILD)/examples/demo
DEMO_WRAP := -Wl,--wrap=malloc,--wrap=free
DEMO_GUESTS := $(BUILD)/examples/libdemo-guests.so
EXAMPLES := $(DEMO) $(BUILD)/examples/embed $(BUILD)/examples/embed-cxx $(BUILD)/examples/keeper

# Guests are GCC's, whatever compiles the rest.
$(DEMO_GUESTS): examples/demo/guests.c examples/demo/demo.h $(TOOL) $(GUEST_PARTS)
	@mkdir -p $(@D)
	$(Q)$(TOOL) cc -Wall -Wextra -Werror -O2 -g -fno-stack-protector -shared $(DEMO_WRAP) $< -o $@

$(BUILD)/examples/demo_host/%.o: examples/demo/%.c examples/demo/demo.h
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -Wno-missing-prototypes -fexceptions -fvisibility=default -c $< -o $@
DEMO_PARTS := $(patsubst %,$(BUILD)/examples/demo_host/%.o,counters hostcalls)

$(DEMO): $(BUILD)/examples/demo_host/host.o $(DEMO_PARTS) $(DEMO_GUESTS) $(LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANFLAGS) -rdynamic $(DEMO_WRAP) $< $(DEMO_PARTS) $(DEMO_GUESTS) -o $@ -pthread \
	    -L$(BUILD)/lib -lripcord-symbolize -lripcord -Wl,-rpath,'$$ORIGIN:$$ORIGIN/../lib'

# One source, as C and as C++.
EMBED_LIBS = -L$(BUILD)/lib -lripcord -Wl,-rpath,'$$ORIGIN/../lib'
$(BUILD)/examples/embed $(BUILD)/examples/keeper: $(BUILD)/examples/%: examples/%.c $(TOOL) $(GUEST_PARTS) $(PUBLIC) $(LIBS)
	@mkdir -p $(@D)
	$(Q)$(TOOL) cc -Wall -Wextra -Werror -O2 -g $< -o $@ $(EMBED_LIBS)
$(BUILD)/examples/embed-cxx: examples/embed.c $(TOOL) $(GUEST_PARTS) $(PUBLIC) $(LIBS)
	@mkdir -p $(@D)
	$(Q)$(TOOL) c++ -Wall -Wextra -Werror -O2 -g -x c++ $< -x none -o $@ $(EMBED_LIBS)

.PHONY: examples run-only
examples: $(EXAMPLES)
run: setup
	@$(MAKE) --no-print-directory -j$(JOBS) run-only
run-only: all examples
	@$(DEMO)
	@BUILD=$(BUILD) sh examples/demo/duktape.sh

# The demonstration's guests in a test, which counts only what they allocate: so it has the shared library.
$(BUILD)/tests/demo/flat: tests/demo/flat.c $(DEMO_GUESTS) $(DEMO_PARTS) $(BUILD)/lib/libripcord.so
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -Itests -Iexamples/demo -rdynamic $(DEMO_WRAP) $< $(DEMO_PARTS) $(DEMO_GUESTS) -o $@ \
	    -pthread -L$(BUILD)/lib -lripcord -Wl,-rpath,'$$ORIGIN/../../examples:$$ORIGIN/../../lib'
