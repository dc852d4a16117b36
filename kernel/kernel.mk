# The freestanding demonstration (kernel/): built by GCC with the plugin, linked twice so that it has a table of its
# own functions, and run by QEMU.

KERNEL_SRC   := $(wildcard kernel/*.c kernel/*.S kernel/test/*.c kernel/campaign/*.c)
KERNEL_OBJ   := $(patsubst %,$(BUILD)/obj/%.o,$(KERNEL_SRC))
KERNEL       := $(BUILD)/kernel/kernel.elf
KERNEL_FLAGS := -std=gnu11 $(WARN) -Iinclude -Ikernel -O2 -g -ffreestanding -fno-pic -fno-pie -mcmodel=kernel \
                -mno-red-zone -mgeneral-regs-only -mcx16 -fexceptions -fnon-call-exceptions \
                -fno-delete-dead-exceptions -fno-tree-dse -fno-dse -fasynchronous-unwind-tables \
                -fstack-clash-protection -fno-stack-protector -fcf-protection=none
KERNEL_LINK   = ld -static -nostdlib -z max-page-size=4096 -z noexecstack --eh-frame-hdr --no-warn-rwx-segments \
                -T kernel/kernel.ld

$(BUILD)/obj/kernel/%.c.o: kernel/%.c kernel/kernel.mk $(PLUGIN)
	@mkdir -p $(@D)
	$(Q)gcc $(KERNEL_FLAGS) -fplugin=$(PLUGIN_LOADER) -MMD -MP -c $< -o $@
$(BUILD)/obj/kernel/%.S.o: kernel/%.S kernel/kernel.mk
	@mkdir -p $(@D)
	$(Q)gcc $(KERNEL_FLAGS) -MMD -MP -c $< -o $@

# The table comes last in the image, so that the second link leaves all addresses as the first has them: checked.
$(BUILD)/kernel/without.S: kernel/symbols.awk
	@mkdir -p $(@D)
	$(Q)awk -f $< < /dev/null > $@
$(BUILD)/kernel/without.elf: $(BUILD)/kernel/without.S.o $(KERNEL_OBJ) $(BUILD)/lib/libripcord-core.a kernel/kernel.ld
	$(Q)$(KERNEL_LINK) $(filter %.o %.a,$^) -o $@
$(BUILD)/kernel/symbols.S: $(BUILD)/kernel/without.elf kernel/symbols.awk
	$(Q)nm -n $< | awk -f kernel/symbols.awk > $@
$(BUILD)/kernel/%.S.o: $(BUILD)/kernel/%.S
	$(Q)gcc -c $< -o $@
$(BUILD)/kernel/instructions.S: $(BUILD)/kernel/without.elf kernel/campaign/instructions.awk
	$(Q)objdump -d --no-show-raw-insn -j .text $< | awk -f kernel/campaign/instructions.awk > $@
$(KERNEL): $(BUILD)/kernel/symbols.S.o $(BUILD)/kernel/instructions.S.o $(KERNEL_OBJ) $(BUILD)/lib/libripcord-core.a kernel/kernel.ld
	$(Q)$(KERNEL_LINK) $(filter %.o %.a,$^) -o $@
	$(Q)nm -n $@ | awk -f kernel/symbols.awk | cmp -s - $(BUILD)/kernel/symbols.S || \
	    { rm -f $@; echo 'kernel: the second link has moved functions' >&2; false; }

.PHONY: kernel kernel-run kernel-test campaign setup-kernel
# Without the plugin it has no polls: it is not built.
kernel: $(BUILD)/lib/libripcord-core.a $(PLUGIN)
	@[ ! -e $(PLUGIN_LOADER) ] || $(MAKE) --no-print-directory $(KERNEL)
setup-kernel:
	@scripts/setup kernel
# For a person; `exit` ends it.
kernel-run: setup-kernel
	@$(MAKE) --no-print-directory kernel
	@scripts/run-kernel $(KERNEL); test $$? = 33
kernel-test: setup-kernel
	@$(MAKE) --no-print-directory -j$(JOBS) all kernel
	@$(TEST_ENV) TEST_LIMIT=180 prove --timer --exec scripts/run-test tests/kernel/all/kernel.sh tests/kernel/all/campaign.sh

# The fault campaign: some ten minutes. docs/campaign.md
SEED ?= 2026
RUNS ?= 2700
campaign: setup-kernel
	@$(MAKE) --no-print-directory -j$(JOBS) kernel
	@scripts/campaign $(KERNEL) $(SEED) $(RUNS) $(BUILD)/kernel/campaign.log

-include $(KERNEL_OBJ:.o=.d)
