/* SPDX-License-Identifier: MIT
 * machine: segments, gates, interrupt stacks, the interrupt controller and the timer. */
#include "machine.h"

/* --- Interrupt stacks --- */

/* Numbers of interrupt stacks in the task state segment. Faults have another one than interrupts, so that a
 * fault in a handler leaves that one's frames to look at; and double faults, NMI and machine checks one each,
 * as they may come in the midst of any. */
enum { STACK_INTERRUPT = 1, STACK_FAULT, STACK_DOUBLE, STACK_NMI, STACK_MACHINE, STACKS_COUNT };
enum { STACK_SIZE = 32 * 1024, FAULT_NESTING = 2 };

static char interrupt_stacks[STACKS_COUNT][STACK_SIZE] __attribute__((aligned(16)));

/* Intel SDM 3, figure 8-11. */
static struct {
	uint32_t reserved;
	uint64_t rsp[3];
	uint64_t reserved_too;
	uint64_t ist[7]; /* the first is number 1 */
	uint64_t reserved_as_well;
	uint16_t and_again, io_map;
} __attribute__((packed)) task_state;

/* Null, code, data, and the task state's two (Intel SDM 3, 3.4.5 and 8.2.3). */
static uint64_t segments[5] = { 0, 0x00af9a000000ffff, 0x00cf92000000ffff };

struct pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static void load_segments(void)
{
	uint64_t base = (uintptr_t)&task_state, limit = sizeof task_state - 1;
	struct pointer pointer = { sizeof segments - 1, (uintptr_t)segments };

	for (unsigned i = STACK_INTERRUPT; i < STACKS_COUNT; i++)
		task_state.ist[i - 1] = (uintptr_t)interrupt_stacks[i] + STACK_SIZE;
	task_state.io_map = sizeof task_state;
	segments[3] = limit | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	segments[4] = base >> 32;
	__asm__ volatile("lgdt %0\n\tltr %w1" : : "m"(pointer), "r"(TASK_SELECTOR) : "memory");
}

void machine_fault_enter(void)
{
	task_state.ist[STACK_FAULT - 1] -= STACK_SIZE / FAULT_NESTING;
}

void machine_fault_leave(void)
{
	task_state.ist[STACK_FAULT - 1] += STACK_SIZE / FAULT_NESTING;
}

/* --- Gates (Intel SDM 3, figure 6-8) --- */

static struct {
	uint16_t offset, selector;
	uint8_t stack, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
} gates[VECTORS];

enum { GATE_INTERRUPT = 0x8e, STUB_SIZE = 16 };
extern const char interrupt_stubs[];

static unsigned stack_for(unsigned vector)
{
	switch (vector) {
	case EXCEPTION_DOUBLE:
		return STACK_DOUBLE;
	case EXCEPTION_NMI:
		return STACK_NMI;
	case EXCEPTION_MACHINE:
		return STACK_MACHINE;
	default:
		return vector < EXCEPTIONS ? STACK_FAULT : STACK_INTERRUPT;
	}
}

void machine_use_interrupt_stack(unsigned vector, bool use)
{
	gates[vector].stack = (uint8_t)(use ? stack_for(vector) : 0);
}

static void load_gates(void)
{
	struct pointer pointer = { sizeof gates - 1, (uintptr_t)gates };

	for (unsigned i = 0; i < VECTORS; i++) {
		uint64_t entry = (uintptr_t)interrupt_stubs + i * STUB_SIZE;
		gates[i].offset = (uint16_t)entry;
		gates[i].offset_middle = (uint16_t)(entry >> 16);
		gates[i].offset_high = (uint32_t)(entry >> 32);
		gates[i].selector = CODE_SELECTOR;
		gates[i].type = GATE_INTERRUPT;
		machine_use_interrupt_stack(i, true);
	}
	__asm__ volatile("lidt %0" : : "m"(pointer));
}

const char *exception_name(uint64_t vector)
{
	static const char *const names[] = {
		[EXCEPTION_DIVIDE] = "divide error", [EXCEPTION_DEBUG] = "debug", [EXCEPTION_NMI] = "NMI",
		[EXCEPTION_BREAKPOINT] = "breakpoint", [EXCEPTION_OPCODE] = "invalid opcode",
		[EXCEPTION_DOUBLE] = "double fault", [EXCEPTION_GENERAL] = "general protection",
		[EXCEPTION_PAGE] = "page fault", [EXCEPTION_ALIGNMENT] = "alignment check",
		[EXCEPTION_MACHINE] = "machine check",
	};

	return vector <= EXCEPTION_MACHINE && names[vector] ? names[vector] : "exception";
}

/* --- Interrupt controllers (8259A) and timer (8254) --- */

enum { MASTER = 0x20, SLAVE = 0xa0, COMMAND_INIT = 0x11, COMMAND_END = 0x20, MODE_8086 = 1, CASCADE = 2 };

static void init_controllers(void)
{
	out8(MASTER, COMMAND_INIT);
	out8(SLAVE, COMMAND_INIT);
	out8(MASTER + 1, VECTOR_IRQ);
	out8(SLAVE + 1, VECTOR_IRQ + 8);
	out8(MASTER + 1, 1 << CASCADE);
	out8(SLAVE + 1, CASCADE);
	out8(MASTER + 1, MODE_8086);
	out8(SLAVE + 1, MODE_8086);
	out8(MASTER + 1, 0xff);
	out8(SLAVE + 1, 0xff);
}

void machine_enable_line(unsigned line)
{
	out8(MASTER + 1, in8(MASTER + 1) & ~(1u << line));
}

void machine_end_of_interrupt(unsigned line)
{
	if (line >= 8)
		out8(SLAVE, COMMAND_END);
	out8(MASTER, COMMAND_END);
}

/* Channel 0, low byte and high byte, mode 2 (rate generator). */
static void init_timer(void)
{
	const unsigned clock = 1193182, divisor = clock / TICKS_PER_SECOND;

	out8(0x43, 0x34);
	out8(0x40, (uint8_t)divisor);
	out8(0x40, (uint8_t)(divisor >> 8));
}

/* --- The processor --- */

/* What polls read: %fs:0 (ripcord/killable.h). */
static char poll_page[64] __attribute__((aligned(64)));
enum { MSR_FS_BASE = (int)0xc0000100 };

void machine_set_polls(uint64_t address)
{
	write_msr((uint32_t)MSR_FS_BASE, address ? address : (uintptr_t)poll_page);
}

void machine_init(void)
{
	machine_set_polls(0);
	load_segments();
	load_gates();
	init_controllers();
	init_timer();
}

void machine_halt(void)
{
	for (;;)
		__asm__ volatile("cli\n\thlt");
}

void machine_exit(uint8_t code)
{
	out8(0xf4, code); /* isa-debug-exit */
	machine_halt();
}
