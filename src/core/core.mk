# libripcord-core.a: the layers that need no system, and what stands in for the others (src/core/). Always compiled by GCC:
# clang has no switch that keeps it from calling memcpy. Headers in src/core/ come before those that they stand in for.

CORE_CC     := gcc
CORE_LAYERS := base cfi lsda supervise port/bare core
CORE_SRC    := $(call sources,$(CORE_LAYERS)) \
               $(addprefix src/arch/x86_64/,aside.S context.c flow.c poll.c switch.S) \
               $(addprefix src/unwind/,bad_call.c call_site.c cursor.c expr.c find.c load.c module.c plain_frames.c read.c) \
               src/unwind/row_cache.c \
               src/stack/bounds.c $(addprefix src/stop/,stop.c unwind.c domain.c pads.c killable.c)
CORE_OBJ    := $(patsubst src/%,$(BUILD)/obj/core/%.o,$(CORE_SRC))

# -nostdinc, but for the compiler's own headers: no libc can slip in. Copies of structs become REP MOVS, as there is nothing
# to call. The same code serves at any address: position-independent, with hidden symbols.
CORE_FLAGS  := -std=gnu11 $(WARN) $(EXHAUSTIVE) -Isrc/core -Iinclude -Isrc -Isrc/arch/x86_64 -nostdinc \
               -isystem $(shell $(CORE_CC) -print-file-name=include 2>/dev/null) -O2 -g -ffreestanding -fno-lto -fPIC \
               -fvisibility=hidden -fno-stack-protector -fasynchronous-unwind-tables -mno-red-zone \
               -mgeneral-regs-only -mmemcpy-strategy=rep_8byte:-1:noalign -mmemset-strategy=rep_8byte:-1:noalign

$(BUILD)/obj/core/%.c.o: src/%.c src/core/core.mk
	@mkdir -p $(@D)
	$(Q)$(CORE_CC) $(CORE_FLAGS) -MMD -MP -c $< -o $@
$(BUILD)/obj/core/%.S.o: src/%.S src/core/core.mk
	@mkdir -p $(@D)
	$(Q)$(CORE_CC) $(CORE_FLAGS) -MMD -MP -c $< -o $@

$(BUILD)/lib/libripcord-core.a: $(CORE_OBJ)
-include $(CORE_OBJ:.o=.d)
