/* SPDX-License-Identifier: MIT
 * machine: the processor and the devices that every PC has. Source of its facts: Intel SDM; for the devices,
 * the data sheets of the 8259A, 8254 and 16550. One processor. */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"
#include "ripcord/core.h"

#define CLEANUP(function) __attribute__((cleanup(function)))
#define NORETURN __attribute__((noreturn))
#define PRINTS(text, arguments) __attribute__((format(printf, text, arguments)))

enum { PAGE = 4096 };

/* Exceptions (Intel SDM 3, table 6-1). */
enum {
	EXCEPTION_DIVIDE = 0, EXCEPTION_DEBUG = 1, EXCEPTION_NMI = 2, EXCEPTION_BREAKPOINT = 3, EXCEPTION_OPCODE = 6,
	EXCEPTION_DOUBLE = 8, EXCEPTION_GENERAL = 13, EXCEPTION_PAGE = 14, EXCEPTION_ALIGNMENT = 17,
	EXCEPTION_MACHINE = 18, EXCEPTIONS = 32,
};

enum { FLAG_FIXED = 1 << 1, FLAG_TRAP = 1 << 8, FLAG_INTERRUPTS = 1 << 9 };

/* Where interrupted code stands. On return, interrupt() goes on with what is here. */
struct frame {
	uint64_t reg[RIP_CORE_REGISTERS];
	uint64_t vector, error;
	uint64_t pushed_rip, cs, flags, pushed_rsp, ss; /* rip and rsp are taken from reg */
};

void machine_init(void);

/* Whether the vector's gate leads to an interrupt stack (as all do), or stays on that of the interrupted
 * code. */
void machine_use_interrupt_stack(unsigned vector, bool use);
/* Moves the fault stack's top down while a fault is handled, so that a fault in there does not overwrite it. */
void machine_fault_enter(void);
void machine_fault_leave(void);

/* What polls read; 0: what is always there. */
void machine_set_polls(uint64_t address);

void machine_enable_line(unsigned line);
void machine_end_of_interrupt(unsigned line);
enum { LINE_TIMER = 0, LINE_SERIAL = 4, TICKS_PER_SECOND = 1000 };

/* Ends the emulator: its exit status is 2 * code + 1. */
NORETURN void machine_exit(uint8_t code);
NORETURN void machine_halt(void);

const char *exception_name(uint64_t vector);

static inline void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint64_t read_cr2(void)
{
	uint64_t value;

	__asm__ volatile("movq %%cr2, %0" : "=r"(value));
	return value;
}

static inline void write_cr3(uint64_t value)
{
	__asm__ volatile("movq %0, %%cr3" : : "r"(value) : "memory");
}

static inline void forget_page(uint64_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline uint64_t read_time_stamp(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline uint64_t read_flags(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags) : : "memory");
	return flags;
}

/* Off, and whether they were on; on again if they were. POPF is not used: it would bring a trap flag back. */
static inline bool interrupts_disable(void)
{
	bool were_on = read_flags() & FLAG_INTERRUPTS;

	__asm__ volatile("cli" : : : "memory");
	return were_on;
}

static inline void interrupts_restore(bool were_on)
{
	if (were_on)
		__asm__ volatile("sti" : : : "memory");
}

#endif
