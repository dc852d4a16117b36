/* SPDX-License-Identifier: MIT
 * console: print, names of addresses, panic. */
#include "console.h"

#include "interrupt.h"
#include "task.h"

enum { LINE = 256, TRACE = 48 };

void print_arguments(const char *format, va_list arguments)
{
	char line[LINE];

	serial_write(line, format_arguments(line, sizeof line, format, arguments));
}

void print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_arguments(format, arguments);
	va_end(arguments);
}

/* --- Names --- */

/* By address. The first link's table is empty (symbols.awk). */
struct symbol {
	uint64_t address;
	const char *name;
};
extern const struct {
	uint64_t count;
	struct symbol symbols[];
} symbol_table;

const char *symbol_at(uint64_t address, uint64_t *offset_ret)
{
	extern char kernel_begin[], text_end[];
	uint64_t low = 0, high = symbol_table.count;

	if (address < (uintptr_t)kernel_begin || address >= (uintptr_t)text_end)
		return NULL;
	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (symbol_table.symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	*offset_ret = address - symbol_table.symbols[low - 1].address;
	return symbol_table.symbols[low - 1].name;
}

uint64_t symbol_find(const char *name)
{
	for (uint64_t i = 0; i < symbol_table.count; i++)
		if (text_equal(symbol_table.symbols[i].name, name))
			return symbol_table.symbols[i].address;
	return 0;
}

void print_backtrace(const uint64_t *pcs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t offset, call = pcs[i] - (i > 0);
		const char *name = symbol_at(call, &offset);
		if (name)
			print("  %016lx %s+0x%lx\n", pcs[i], name, offset + (i > 0));
		else
			print("  %016lx\n", pcs[i]);
	}
}

/* --- Panic --- */

/* Up to the next interrupt, which is told of by itself. All that can be read may be walked: nobody vouches
 * for the bounds of a stack any more. */
static void trace_from(const uint64_t reg[RIP_CORE_REGISTERS])
{
	extern const char interrupt_entry[], interrupt_stubs[];
	uint64_t pcs[TRACE];
	uint32_t count = rip_core_backtrace(reg, 0, 0, pcs, TRACE);

	for (uint32_t i = 0; i < count; i++)
		if (pcs[i] >= (uintptr_t)interrupt_entry && pcs[i] < (uintptr_t)interrupt_stubs)
			count = i;
	print_backtrace(pcs, count);
}

/* Of the function that calls; its caller's registers are in its frame. */
static inline __attribute__((always_inline)) void read_registers(uint64_t reg[RIP_CORE_REGISTERS])
{
	memset(reg, 0, RIP_CORE_REGISTERS * sizeof *reg);
	__asm__ volatile("leaq 0(%%rip), %%rax\n\tmovq %%rax, %0\n\tmovq %%rsp, %1\n\tmovq %%rbp, %2\n\t"
			 "movq %%rbx, %3\n\tmovq %%r12, %4\n\tmovq %%r13, %5\n\tmovq %%r14, %6\n\tmovq %%r15, %7"
			 : "=m"(reg[RIP_CORE_RIP]), "=m"(reg[RIP_CORE_RSP]), "=m"(reg[RIP_CORE_RBP]),
			   "=m"(reg[RIP_CORE_RBX]), "=m"(reg[RIP_CORE_R12]), "=m"(reg[RIP_CORE_R13]),
			   "=m"(reg[RIP_CORE_R14]), "=m"(reg[RIP_CORE_R15]) : : "rax");
}

static void trace_interrupts(void)
{
	for (unsigned i = interrupt_depth(); i-- > 0;) {
		const struct frame *frame = interrupt_frame(i);
		print("interrupted by vector %lu (%s), error %lx, flags %lx, rsp %lx, cr2 %lx:\n", frame->vector,
		      frame->vector < EXCEPTIONS ? exception_name(frame->vector) : "device", frame->error,
		      frame->flags, frame->pushed_rsp, read_cr2());
		trace_from(frame->reg);
	}
}

void panic(const char *format, ...)
{
	static bool panicking;
	uint64_t reg[RIP_CORE_REGISTERS];
	va_list arguments;

	__asm__ volatile("cli");
	serial_end();
	if (panicking) {
		print("panic in a panic\n");
		machine_exit(EXIT_PANIC);
	}
	panicking = true;
	print("\npanic: ");
	va_start(arguments, format);
	print_arguments(format, arguments);
	va_end(arguments);
	print("\nin task %lu (%s):\n", task_current()->id, task_current()->name);
	read_registers(reg);
	trace_from(reg);
	trace_interrupts();
	machine_exit(EXIT_PANIC);
}
