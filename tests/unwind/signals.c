/* SPDX-License-Identifier: MIT
 * Through signal frames: trampolines with tables and without, on the interrupted stack and on another, nested; and
 * the kernel's own code, the vDSO. */
#include <elf.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ripcord/unwind.h"
#include "tap.h"
#include "unwind/unwind.h"

#define NOINLINE __attribute__((noinline, noclone))

enum { FRAMES = 64 };

struct trace {
	int count, exact, signal_frames;
	uint64_t pc[FRAMES];
	rip_status end;
};

static struct trace by_cursor, by_context;
static int backtrace_count;
static void *backtrace_pcs[FRAMES];

static void follow(rip_unwind_cursor *cursor, struct trace *trace)
{
	rip_unwind_frame frame;

	memset(trace, 0, sizeof *trace);
	do {
		if ((trace->end = rip_unwind_describe(cursor, &frame)) != RIP_OK)
			return;
		trace->pc[trace->count++] = frame.pc;
		trace->exact += frame.exact;
		trace->signal_frames += frame.signal_frame;
		trace->end = rip_unwind_step(cursor);
	} while (trace->end == RIP_OK && trace->count < FRAMES);
}

static int holds(const uint64_t *pcs, int count, const void *function, uint64_t size)
{
	for (int i = 0; i < count; i++)
		if (pcs[i] - (uintptr_t)function < size)
			return 1;
	return 0;
}

/* --- Handlers --- */

static void on_signal(int signal, siginfo_t *info, void *ucontext)
{
	rip_unwind_cursor cursor;

	(void)signal, (void)info;
	backtrace_count = rip_backtrace(backtrace_pcs, FRAMES);
	rip_unwind_here(&cursor);
	follow(&cursor, &by_cursor);
	rip_unwind_context(&cursor, ucontext);
	follow(&cursor, &by_context);
}

static void on_outer(int signal)
{
	(void)signal;
	raise(SIGUSR1);
}

/* The kernel's struct, for a trampoline of one's own. */
struct kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	unsigned long mask;
};
enum { SA_RESTORER_FLAG = 0x04000000 };

void bare_trampoline(void), no_trampoline(void);
__asm__(".text\n	nop\n.globl bare_trampoline\nbare_trampoline:\n	movq $15, %rax\n	syscall\n	nop\n"
	"no_trampoline:\n	movl $15, %eax\n	syscall\n	nop\n");

static void install(int number, void *handler, int flags)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO | flags };

	action.sa_sigaction = (void (*)(int, siginfo_t *, void *))handler;
	sigaction(number, &action, NULL);
}

static void install_with(int number, void *handler, int flags, void (*trampoline)(void))
{
	struct kernel_action action = {
		.handler = handler, .flags = SA_SIGINFO | SA_RESTORER_FLAG | (unsigned)flags,
		.restorer = (void *)trampoline,
	};
	syscall(SYS_rt_sigaction, number, &action, NULL, 8);
}

NOINLINE static void interrupted(int number)
{
	volatile char some[100] = { 0 };
	raise(number);
	some[1] = some[2];
}
enum { INTERRUPTED_SIZE = 256 };

static void expect(const char *name, int signals, int exact)
{
	uint64_t pcs[FRAMES];

	for (int i = 0; i < backtrace_count; i++)
		pcs[i] = (uintptr_t)backtrace_pcs[i];
	tap_ok(by_cursor.end == RIP_E_END && by_context.end == RIP_E_END && by_cursor.signal_frames == signals &&
	       by_context.signal_frames == signals - 1, "%s: cursors come to the end, over %d signal frames",
	       name, signals);
	tap_ok(by_cursor.exact == exact && by_context.exact == exact, "%s: %d pcs are exact", name, exact);
	tap_ok(holds(by_cursor.pc, by_cursor.count, (void *)interrupted, INTERRUPTED_SIZE) &&
	       holds(by_context.pc, by_context.count, (void *)interrupted, INTERRUPTED_SIZE) &&
	       holds(pcs, backtrace_count, (void *)interrupted, INTERRUPTED_SIZE),
	       "%s: the interrupted function is there", name);
	/* rip_backtrace starts at its caller's caller, rip_unwind_here at its caller. */
	tap_ok(backtrace_count == by_cursor.count && pcs[0] != 0 &&
	       memcmp(pcs + 1, by_cursor.pc + 1, sizeof pcs[0] * (size_t)(backtrace_count - 1)) == 0,
	       "%s: rip_backtrace and a cursor agree", name);
	int from = by_cursor.count - by_context.count;
	tap_ok(from >= 2 && memcmp(by_cursor.pc + from, by_context.pc, sizeof pcs[0] * (size_t)by_context.count) == 0,
	       "%s: so does the ucontext", name);
}

static void handlers(void)
{
	static char stack[64 * 1024];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };

	sigaltstack(&alternate, NULL);
	for (int i = 0; i < 2; i++) { /* with the row cache, the second time */
		install(SIGUSR1, on_signal, 0);
		interrupted(SIGUSR1);
		expect("a handler", 1, 1);
		install(SIGUSR1, on_signal, SA_ONSTACK);
		interrupted(SIGUSR1);
		expect("on its own stack", 1, 1);
		install(SIGUSR2, on_outer, SA_ONSTACK);
		install(SIGUSR1, on_signal, 0);
		interrupted(SIGUSR2);
		expect("a handler in a handler", 2, 2);
		install_with(SIGUSR1, on_signal, 0, bare_trampoline);
		interrupted(SIGUSR1);
		expect("a trampoline without tables", 1, 1);
		install_with(SIGUSR1, on_signal, SA_ONSTACK, bare_trampoline);
		install_with(SIGUSR2, on_outer, 0, bare_trampoline);
		interrupted(SIGUSR2);
		expect("two of them, on two stacks", 2, 2);
	}
	install_with(SIGUSR1, on_signal, 0, no_trampoline);
	interrupted(SIGUSR1);
	tap_ok(by_cursor.end == RIP_E_NOFDE && by_cursor.count == 1, "what only looks like one ends the walk");
}

/* --- The vDSO --- */

static const uint8_t *vdso;

static void *vdso_table(uint64_t wanted)
{
	const Elf64_Ehdr *header = (const void *)vdso;
	const Elf64_Phdr *segment = (const void *)(vdso + header->e_phoff);

	for (int i = 0; i < header->e_phnum; i++) {
		if (segment[i].p_type != PT_DYNAMIC)
			continue;
		for (const Elf64_Dyn *d = (const void *)(vdso + segment[i].p_offset); d->d_tag != DT_NULL; d++)
			if (d->d_tag == (int64_t)wanted)
				return (void *)(vdso + d->d_un.d_ptr);
	}
	return NULL;
}

static void vdso_rows(void)
{
	const uint32_t *hash = vdso_table(DT_HASH), *gnu_hash = vdso_table(DT_GNU_HASH);
	const Elf64_Sym *symbols = vdso_table(DT_SYMTAB);
	int functions = 0, bad = 0, rows = 0;

	if (!symbols || (!hash && !gnu_hash)) {
		tap_ok(1, "the vDSO has no symbols # SKIP");
		return;
	}
	for (uint32_t i = 1; i < (hash ? hash[1] : 64); i++) {
		if (ELF64_ST_TYPE(symbols[i].st_info) != STT_FUNC || symbols[i].st_size == 0)
			continue;
		uint64_t begin = (uintptr_t)vdso + symbols[i].st_value;
		struct rip_known_module module;
		struct rip_fde fde;
		struct rip_cfi_row row;
		functions++;
		for (uint64_t pc = begin; pc < begin + symbols[i].st_size; pc++) {
			int good = rip_unwind_find(pc, &module, &fde) == RIP_OK && rip_cfi_row_at(&fde, pc, &row) == RIP_OK;
			bad += !good && *(const uint8_t *)pc != 0x90 && *(const uint8_t *)pc != 0xcc;
			rows += good;
		}
	}
	printf("# %d functions of the vDSO, %d pcs\n", functions, rows);
	tap_ok(functions >= 3 && rows > 100 && bad == 0, "every pc of the vDSO's functions has a row");
}

static volatile int vdso_seen, vdso_good, vdso_max;

NOINLINE static void vdso_walks(void);

static void on_timer(int signal, siginfo_t *info, void *ucontext)
{
	rip_unwind_cursor cursor;
	struct trace trace;

	(void)signal, (void)info;
	rip_unwind_context(&cursor, ucontext);
	follow(&cursor, &trace);
	if (trace.pc[0] - (uintptr_t)vdso >= 0x4000)
		return;
	vdso_seen++;
	vdso_good += trace.end == RIP_E_END && holds(trace.pc, trace.count, (void *)vdso_walks, 4096);
	if (trace.count > vdso_max)
		vdso_max = trace.count;
}

NOINLINE static void vdso_walks(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec often = { { 0, 200000 }, { 0, 200000 } };
	struct timespec t;
	timer_t timer;

	install(SIGUSR1, on_timer, 0);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &often, NULL);
	do
		for (int i = 0; i < 1000; i++)
			clock_gettime(CLOCK_MONOTONIC, &t);
	while (clock() < 10 * CLOCKS_PER_SEC && vdso_seen < 500);
	timer_delete(timer);
	signal(SIGUSR1, SIG_IGN);
	printf("# %d signals in the vDSO, %d led to main, at most %d frames\n", vdso_seen, vdso_good, vdso_max);
	tap_ok(vdso_seen > 10 && vdso_good == vdso_seen, "walks from within clock_gettime come to the end");
}

int main(void)
{
	vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	handlers();
	if (vdso) {
		vdso_rows();
		vdso_walks();
	}
	tap_done();
}
