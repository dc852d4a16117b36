/* SPDX-License-Identifier: MIT
 * Stopped guests that go on: every register is as it was, whatever thread goes on; what cannot is refused. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ripcord/kill.h"
#include "ripcord/resume.h"
#include "run_guest.h"

static const rip_options resumable = { .resumable = true };
static rip_guest *guest;
static rip_outcome outcome;

/* --- All registers --- */

/* Stores 1 where rax says, with known values in all the others, and writes what they are afterwards to `after`. */
struct everything {
	uint64_t reg[16];      /* rbx rcx rdx rsi rbp r8 r9 r10 r11 r12 r13 r14 r15 */
	uint8_t xmm[16][16];
	uint64_t flags;
	uint16_t fcw, fsw;
	uint32_t mxcsr;
};
static struct everything before, after;

void store_with_all(int *where, struct everything *before, struct everything *after);
__asm__(".text\n"
	".globl store_with_all\n.type store_with_all, @function\n"
	"store_with_all:\n"
	".cfi_startproc\n"
	"push %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset rbx, 0\n"
	"push %rbp\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset rbp, 0\n"
	"push %r12\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset r12, 0\n"
	"push %r13\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset r13, 0\n"
	"push %r14\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset r14, 0\n"
	"push %r15\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset r15, 0\n"
	"push %rdx\n.cfi_adjust_cfa_offset 8\n"
	"fldpi\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\nmovdqu 128+16*\\n(%rsi), %xmm\\n\n.endr\n"
	"mov %rdi, %rax\n"
	"mov 0(%rsi), %rbx\nmov 8(%rsi), %rcx\nmov 16(%rsi), %rdx\nmov 32(%rsi), %rbp\nmov 40(%rsi), %r8\n"
	"mov 48(%rsi), %r9\nmov 56(%rsi), %r10\nmov 64(%rsi), %r11\nmov 72(%rsi), %r12\nmov 80(%rsi), %r13\n"
	"mov 88(%rsi), %r14\nmov 96(%rsi), %r15\n"
	"movl $0x55aa, -16(%rsp)\n"
	"stc\n"
	"store_here:\n"
	"movl $1, (%rax)\n"
	"mov (%rsp), %rdi\n"
	"pushf\n.cfi_adjust_cfa_offset 8\n"
	"mov %rbx, 0(%rdi)\nmov %rcx, 8(%rdi)\nmov %rdx, 16(%rdi)\nmov %rsi, 24(%rdi)\nmov %rbp, 32(%rdi)\n"
	"mov %r8, 40(%rdi)\nmov %r9, 48(%rdi)\nmov %r10, 56(%rdi)\nmov %r11, 64(%rdi)\nmov %r12, 72(%rdi)\n"
	"mov %r13, 80(%rdi)\nmov %r14, 88(%rdi)\nmov %r15, 96(%rdi)\n"
	"pop %rax\n.cfi_adjust_cfa_offset -8\n"
	"mov %rax, 384(%rdi)\n"
	"mov -16(%rsp), %eax\nmov %rax, 104(%rdi)\n" /* the red zone's word has not been overwritten by a signal */
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\nmovdqu %xmm\\n, 128+16*\\n(%rdi)\n.endr\n"
	"fstp %st(0)\n"
	"pop %rdx\n.cfi_adjust_cfa_offset -8\n"
	"pop %r15\n.cfi_adjust_cfa_offset -8\n.cfi_restore r15\n"
	"pop %r14\n.cfi_adjust_cfa_offset -8\n.cfi_restore r14\n"
	"pop %r13\n.cfi_adjust_cfa_offset -8\n.cfi_restore r13\n"
	"pop %r12\n.cfi_adjust_cfa_offset -8\n.cfi_restore r12\n"
	"pop %rbp\n.cfi_adjust_cfa_offset -8\n.cfi_restore rbp\n"
	"pop %rbx\n.cfi_adjust_cfa_offset -8\n.cfi_restore rbx\n"
	"ret\n.cfi_endproc\n.size store_with_all, . - store_with_all\n");
extern const char store_here[];

static intptr_t stores(void *where)
{
	int a HOLD = acquire(1);

	store_with_all(where, &before, &after);
	return a + 6;
}

static int target;

static void fill(void)
{
	memset(&after, 0, sizeof after);
	for (size_t i = 0; i < 13; i++)
		before.reg[i] = 0x1111111111111111u * (i + 1) / 3;
	for (size_t i = 0; i < 16; i++)
		memset(before.xmm[i], (int)(0x30 + i), 16);
	before.reg[3] = (uintptr_t)&before; /* rsi */
}

static void *go_on(void *status_ret)
{
	*(rip_status *)status_ret = rip_continue(guest, &outcome);
	return NULL;
}

static rip_status go_on_elsewhere(void)
{
	rip_status status = 99;
	pthread_t thread;

	pthread_create(&thread, NULL, go_on, &status);
	pthread_join(thread, NULL);
	return status;
}

static void *smash_vectors(void *unused)
{
	__asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm9, %%xmm9; pxor %%xmm15, %%xmm15" ::: "xmm0", "xmm9", "xmm15");
	return unused;
}

static void every_register(bool elsewhere)
{
	const char *how = elsewhere ? "on another thread" : "on this thread";
	rip_registers registers;
	rip_status status = 0;

	fill();
	target = 0;
	resources_reset();
	rip_create(&resumable, &guest);
	rip_run(guest, stores, (void *)8, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_FAULT && rip_get_state(guest) == RIP_STATE_STOPPED && rip_is_resumable(guest) &&
	       resources.released == 0, "%s: a fault is held, and can be resumed", how);
	tap_ok(rip_get_registers(guest, &registers) == RIP_OK && registers.reg[RIP_X86_64_RAX] == 8 &&
	       registers.reg[RIP_X86_64_RIP] == (uintptr_t)store_here && registers.reg[RIP_X86_64_R15] == before.reg[12] &&
	       registers.reg[RIP_X86_64_RCX] == before.reg[1] && (registers.flags & 1) &&
	       memcmp(registers.xmm, before.xmm, sizeof before.xmm) == 0, "its registers are read");
	smash_vectors(NULL);
	registers.reg[RIP_X86_64_RAX] = (uintptr_t)&target;
	tap_equal(rip_set_registers(guest, &registers), RIP_OK, "one is mended");
	status = elsewhere ? go_on_elsewhere() : rip_continue(guest, &outcome);
	tap_ok(status == RIP_OK && outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 7 && target == 1,
	       "it goes on, and returns (%s, %s)", rip_status_name(status), rip_cause_name(outcome.cause));
	tap_ok(memcmp(after.reg, before.reg, 13 * sizeof before.reg[0]) == 0 &&
	       memcmp(after.xmm, before.xmm, sizeof before.xmm) == 0 && (after.flags & 1) && after.reg[13] == 0x55aa,
	       "all registers, flags and the red zone were as before");
	expect_clean(how, 1);
	tap_equal(rip_continue(guest, &outcome), RIP_E_STATE, "it does not go on again");
	rip_destroy(guest);
}

/* --- What is written takes effect --- */

static void written_registers(void)
{
	rip_registers registers;

	fill();
	rip_create(&resumable, &guest);
	rip_run(guest, stores, (void *)8, &outcome);
	rip_get_registers(guest, &registers);
	registers.reg[RIP_X86_64_RAX] = (uintptr_t)&target;
	registers.reg[RIP_X86_64_R13] = 77;
	registers.flags &= ~(uint64_t)1;
	registers.flags |= 1 << 8; /* TF: not taken */
	memset(registers.xmm[7], 0x5a, 16);
	rip_set_registers(guest, &registers);
	rip_get_registers(guest, &registers);
	tap_ok(!(registers.flags & (1 << 8)), "a trap flag is not set");
	rip_continue(guest, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && after.reg[10] == 77 && !(after.flags & 1) && after.xmm[7][3] == 0x5a &&
	       after.xmm[8][3] == 0x38, "registers, flags and vectors that were written are the guest's");
	rip_destroy(guest);
}

/* A vector part in its initial state has no place in the frame: a write must make one. */
void clear_vectors_and_store(int *where, uint8_t *to);
__asm__(".text\n.globl clear_vectors_and_store\n.type clear_vectors_and_store, @function\n"
	"clear_vectors_and_store:\n.cfi_startproc\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\npxor %xmm\\n, %xmm\\n\n.endr\n"
	"movl $1, (%rdi)\nmovdqu %xmm5, (%rsi)\nret\n"
	".cfi_endproc\n.size clear_vectors_and_store, . - clear_vectors_and_store\n");
static uint8_t vector[16];

static intptr_t store_cleared(void *where)
{
	clear_vectors_and_store(where, vector);
	return 0;
}

static void initial_vectors(void)
{
	rip_registers registers;

	rip_create(&resumable, &guest);
	rip_run(guest, store_cleared, (void *)8, &outcome);
	rip_get_registers(guest, &registers);
	registers.reg[RIP_X86_64_RDI] = (uintptr_t)&target;
	memset(registers.xmm[5], 0x77, 16);
	rip_set_registers(guest, &registers);
	rip_continue(guest, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && vector[0] == 0x77 && vector[15] == 0x77,
	       "also where the vectors were in their initial state");
	rip_destroy(guest);
}

/* The same, where the processor itself counts them as initial: XRSTOR of a state without them. */
void initialise_vectors_and_store(int *where, uint8_t *to, const void *state);
__asm__(".text\n.globl initialise_vectors_and_store\n.type initialise_vectors_and_store, @function\n"
	"initialise_vectors_and_store:\n.cfi_startproc\n"
	"mov %rdx, %rcx\nmov $2, %eax\nxor %edx, %edx\nxrstor (%rcx)\n"
	"movl $1, (%rdi)\nmovdqu %xmm5, (%rsi)\nret\n"
	".cfi_endproc\n.size initialise_vectors_and_store, . - initialise_vectors_and_store\n");

static intptr_t store_initial(void *where)
{
	static _Alignas(64) uint32_t state[(512 + 64) / 4] = { [6] = 0x1f80 }; /* MXCSR; no part is in it */

	initialise_vectors_and_store(where, vector, state);
	return 0;
}

static void processors_initial_vectors(void)
{
	rip_registers registers;

	if (!__builtin_cpu_supports("avx")) { /* and so XSAVE is in use */
		tap_ok(1, "# SKIP no XSAVE");
		return;
	}
	memset(vector, 0, sizeof vector);
	rip_create(&resumable, &guest);
	rip_run(guest, store_initial, (void *)8, &outcome);
	rip_get_registers(guest, &registers);
	tap_ok(outcome.cause == RIP_CAUSE_FAULT && registers.xmm[5][0] == 0, "vectors that were never used are read as 0");
	registers.reg[RIP_X86_64_RDI] = (uintptr_t)&target;
	memset(registers.xmm[5], 0x66, 16);
	rip_set_registers(guest, &registers);
	rip_continue(guest, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && vector[0] == 0x66 && vector[15] == 0x66, "and written all the same");
	rip_destroy(guest);
}

/* --- What is not in rip_registers: the upper halves --- */

void store_with_halves(int *where, const uint8_t from[16][32], uint8_t to[16][32]);
__asm__(".text\n.globl store_with_halves\n.type store_with_halves, @function\n"
	"store_with_halves:\n.cfi_startproc\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\nvmovdqu 32*\\n(%rsi), %ymm\\n\n.endr\n"
	"movl $1, (%rdi)\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\nvmovdqu %ymm\\n, 32*\\n(%rdx)\n.endr\n"
	"vzeroupper\nret\n"
	".cfi_endproc\n.size store_with_halves, . - store_with_halves\n");
static uint8_t halves[2][16][32];

static intptr_t stores_with_halves(void *where)
{
	store_with_halves(where, halves[0], halves[1]);
	return 0;
}

static void upper_halves(void)
{
	rip_registers registers;

	if (!__builtin_cpu_supports("avx")) {
		tap_ok(1, "# SKIP no AVX");
		return;
	}
	for (int i = 0; i < 16 * 32; i++)
		halves[0][i / 32][i % 32] = (uint8_t)(i * 7 + 1);
	rip_create(&resumable, &guest);
	rip_run(guest, stores_with_halves, (void *)8, &outcome);
	__asm__ volatile("vzeroall" ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
			 "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	rip_get_registers(guest, &registers);
	registers.reg[RIP_X86_64_RDI] = (uintptr_t)&target;
	rip_set_registers(guest, &registers);
	rip_continue(guest, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && memcmp(halves[0], halves[1], sizeof halves[0]) == 0,
	       "the upper halves of the vectors come back too");
	rip_destroy(guest);
}

/* --- The control word of SSE --- */

enum { MXCSR_USUAL = 0x1f80, MXCSR_TO_ZERO = 0x7f80, MXCSR_DOWN = 0x3f80, MXCSR_ALL = 0xffff };

/* Stores with *word as MXCSR; *word is what it is afterwards, and MXCSR as usual again. */
void store_with_mxcsr(int *where, uint32_t *word);
__asm__(".text\n.globl store_with_mxcsr\n.type store_with_mxcsr, @function\n"
	"store_with_mxcsr:\n.cfi_startproc\n"
	"ldmxcsr (%rsi)\nmovl $1, (%rdi)\nstmxcsr (%rsi)\n"
	"movl $0x1f80, -4(%rsp)\nldmxcsr -4(%rsp)\nret\n"
	".cfi_endproc\n.size store_with_mxcsr, . - store_with_mxcsr\n");
static uint32_t mxcsr;

static intptr_t stores_with_mxcsr(void *where)
{
	store_with_mxcsr(where, &mxcsr);
	return 0;
}

static uint32_t own_mxcsr(void)
{
	uint32_t word;

	__asm__ volatile("stmxcsr %0" : "=m"(word));
	return word & ~0x3fu; /* but for what has happened */
}

/* It faults with `at`, and goes on with `set` (0: as it was). What the guest has then. */
static uint32_t mxcsr_after(uint32_t at, uint32_t set)
{
	rip_registers registers;

	mxcsr = at;
	rip_create(&resumable, &guest);
	rip_run(guest, stores_with_mxcsr, (void *)8, &outcome);
	tap_ok(rip_get_registers(guest, &registers) == RIP_OK && registers.mxcsr == at && own_mxcsr() == MXCSR_USUAL,
	       "MXCSR %x is read, and is not the host's", at);
	registers.reg[RIP_X86_64_RDI] = (uintptr_t)&target;
	if (set)
		registers.mxcsr = set;
	rip_set_registers(guest, &registers);
	rip_continue(guest, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && own_mxcsr() == MXCSR_USUAL, "it goes on and returns");
	rip_destroy(guest);
	return mxcsr;
}

static void control_word(void)
{
	tap_equal(mxcsr_after(MXCSR_TO_ZERO, 0), MXCSR_TO_ZERO, "its own comes back");
	tap_equal(mxcsr_after(MXCSR_TO_ZERO, MXCSR_DOWN), MXCSR_DOWN, "one that is written is there");
	tap_equal(mxcsr_after(MXCSR_USUAL, 0xffffffff), MXCSR_ALL, "bits that there are not are not set");
}

/* --- Again and again, and ends --- */

/* Loads through rdi. */
NOINLINE static int load(const int *where)
{
	int value;

	__asm__ volatile("movl (%1), %0" : "=r"(value) : "D"(where) : "memory");
	return value;
}

static intptr_t faults_often(void *unused)
{
	int a HOLD = acquire(2), sum = 0;

	(void)unused;
	for (int i = 0; i < 4; i++)
		sum += load(null_pointer);
	return sum + a - 2;
}

static void many_times(void)
{
	int values[4] = { 1, 2, 3, 4 }, stops = 0;
	rip_registers registers;

	resources_reset();
	rip_create(&resumable, &guest);
	rip_run(guest, faults_often, NULL, &outcome);
	while (outcome.cause == RIP_CAUSE_FAULT && stops < 4) {
		const rip_report *report = rip_get_report(guest);
		tap_ok(report && report->has_address && report->address == 0, "stop %d is reported", stops + 1);
		rip_get_registers(guest, &registers);
		registers.reg[RIP_X86_64_RDI] = (uintptr_t)&values[stops++];
		rip_set_registers(guest, &registers);
		rip_continue(guest, &outcome);
	}
	tap_ok(stops == 4 && outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 10,
	       "four faults in a row are mended: %d, %ld", stops, (long)outcome.value);
	expect_clean("they", 1);
	rip_destroy(guest);
}

static void unwound_after_mending(void)
{
	rip_registers registers;
	rip_handle handle;

	fill();
	resources_reset();
	rip_create(&resumable, &guest);
	rip_get_handle(guest, &handle);
	rip_run(guest, stores, (void *)8, &outcome);
	rip_get_registers(guest, &registers);
	registers.reg[RIP_X86_64_RAX] = 16;
	rip_set_registers(guest, &registers);
	rip_continue(guest, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_FAULT && rip_get_report(guest)->address == 16 && rip_is_resumable(guest),
	       "a bad mend is another stop");
	tap_equal(rip_kill(handle, RIP_SOFT), RIP_OK, "killed while it is stopped");
	rip_continue(guest, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_KILLED && rip_get_state(guest) == RIP_STATE_STOPPED && !rip_is_resumable(guest),
	       "it is killed where it goes on");
	rip_unwind(guest, &outcome);
	tap_equal(outcome.cause, RIP_CAUSE_KILLED, "and unwound");
	expect_clean("killed while stopped", 1);
	rip_destroy(guest);
}

/* --- What cannot be resumed, or set --- */

static intptr_t exits(void *unused)
{
	(void)unused;
	rip_exit(3);
	return 0;
}

static intptr_t overflows(void *argument)
{
	volatile char room[512];

	room[0] = (char)(intptr_t)argument;
	return always ? overflows((void *)(intptr_t)room[0]) + room[0] : 0;
}

static intptr_t aborts(void *unused)
{
	(void)unused;
	abort();
	return 0;
}

static intptr_t catches(void *unused)
{
	rip_outcome inner;

	(void)unused;
	rip_call(stores, (void *)8, &inner);
	rip_exit(inner.cause == RIP_CAUSE_FAULT ? 5 : 6);
	return 0;
}

static void refused(const char *name, rip_function function, rip_cause cause, bool can)
{
	rip_registers registers;

	rip_create(&resumable, &guest);
	rip_run(guest, function, NULL, &outcome);
	tap_ok(outcome.cause == cause && rip_get_state(guest) == RIP_STATE_STOPPED && rip_is_resumable(guest) == can,
	       "%s: held, %s", name, can ? "can go on" : "cannot go on");
	if (!can)
		tap_ok(rip_continue(guest, &outcome) == RIP_E_STATE && rip_get_registers(guest, &registers) == RIP_E_STATE,
		       "%s: STATE", name);
	rip_destroy(guest);
}

/* The fault that was mended has left its state; the end that comes later is not one. */
static intptr_t stores_then_aborts(void *where)
{
	store_with_all(where, &before, &after);
	rip_abort();
	return 0;
}

static void aborted_after_mending(void)
{
	rip_registers registers;

	fill();
	rip_create(&resumable, &guest);
	rip_run(guest, stores_then_aborts, (void *)8, &outcome);
	rip_get_registers(guest, &registers);
	registers.reg[RIP_X86_64_RAX] = (uintptr_t)&target;
	rip_set_registers(guest, &registers);
	rip_continue(guest, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_ABORTED && rip_get_state(guest) == RIP_STATE_STOPPED && !rip_is_resumable(guest) &&
	       rip_continue(guest, &outcome) == RIP_E_STATE, "rip_abort() after a fault that was mended: cannot go on");
	rip_destroy(guest);
}

static void bad_calls(void)
{
	static const rip_options held = { .hold = true };
	rip_registers registers;

	fill();
	rip_create(&held, &guest);
	rip_run(guest, stores, (void *)8, &outcome);
	tap_ok(!rip_is_resumable(guest) && rip_continue(guest, &outcome) == RIP_E_STATE, "without the option: STATE");
	rip_destroy(guest);
	rip_create(&resumable, &guest);
	tap_ok(!rip_is_resumable(NULL) && !rip_is_resumable(guest) && rip_continue(guest, &outcome) == RIP_E_STATE &&
	       rip_continue(NULL, &outcome) == RIP_E_ARGUMENT && rip_continue(guest, NULL) == RIP_E_ARGUMENT, "bad calls");
	rip_run(guest, stores, (void *)8, &outcome);
	rip_get_registers(guest, &registers);
	registers.reg[RIP_X86_64_RSP] = (uintptr_t)&registers;
	tap_equal(rip_set_registers(guest, &registers), RIP_E_ARGUMENT, "a stack pointer elsewhere");
	rip_get_registers(guest, &registers);
	registers.mxcsr = 0xffffffff;
	registers.reg[RIP_X86_64_RIP] = 0x123456789abcdef0;
	tap_equal(rip_set_registers(guest, &registers), RIP_OK, "a wild pc and reserved bits");
	rip_continue(guest, &outcome);
	tap_equal(outcome.cause, RIP_CAUSE_FAULT, "are a fault");
	rip_destroy(guest);
}

/* --- The signal mask is the guest's --- */

static intptr_t blocks_and_stores(void *where)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	*(volatile int *)where = 1;
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	int blocked = sigismember(&set, SIGUSR2) == 1 && sigismember(&set, SIGUSR1) == 0;
	sigemptyset(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	return blocked;
}

static void signal_mask(void)
{
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	rip_create(&resumable, &guest);
	rip_run(guest, blocks_and_stores, page, &outcome);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
	rip_continue(guest, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 1 && *(int *)page == 1,
	       "a page that was given to it; its signal mask is as it was");
	rip_destroy(guest);
}

/* --- Memory --- */

static void memory(void)
{
	uint8_t *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), buffer[8192];
	static const int constant = 9;
	size_t done = 99;
	int value = 0;

	memset(pages, 5, 3 * 4096);
	munmap(pages + 8192, 4096);
	tap_ok(rip_read_memory((uintptr_t)&constant, &value, sizeof value, NULL) == RIP_OK && value == 9, "a global is read");
	tap_ok(rip_read_memory((uintptr_t)pages + 4096, buffer, 8192, &done) == RIP_E_MEMORY && done == 4096 && buffer[9] == 5,
	       "up to what is not there: %zu", done);
	tap_ok(rip_read_memory(0, buffer, 1, &done) == RIP_E_MEMORY && done == 0, "nothing at 0");
	tap_ok(rip_read_memory(UINTPTR_MAX - 3, buffer, 8, &done) == RIP_E_MEMORY && done == 0, "nor at the end");
	tap_ok(rip_read_memory(0xffff800000000000, buffer, 8, &done) == RIP_E_MEMORY, "nor the kernel's");
	tap_ok(rip_write_memory((uintptr_t)pages + 8000, buffer, 500, &done) == RIP_E_MEMORY && done == 192, "likewise written: %zu",
	       done);
	tap_ok(rip_write_memory((uintptr_t)&constant, &value, sizeof value, &done) == RIP_E_MEMORY && done == 0,
	       "what is protected is not");
	tap_ok(rip_read_memory((uintptr_t)pages, NULL, 4, &done) == RIP_E_ARGUMENT && done == 0 &&
	       rip_write_memory((uintptr_t)pages, NULL, 4, NULL) == RIP_E_ARGUMENT, "NULL");
	value = 1234;
	tap_ok(rip_write_memory((uintptr_t)pages + 100, &value, sizeof value, &done) == RIP_OK && *(int *)(pages + 100) == 1234,
	       "memory is written");
}

int main(void)
{
	every_register(false);
	every_register(true);
	written_registers();
	initial_vectors();
	processors_initial_vectors();
	upper_halves();
	control_word();
	many_times();
	unwound_after_mending();
	refused("an exit", exits, RIP_CAUSE_EXITED, false);
	refused("an overflow", overflows, RIP_CAUSE_OVERFLOW, false);
	refused("abort()", aborts, RIP_CAUSE_ABORTED, true);
	refused("an exit after a caught fault", catches, RIP_CAUSE_EXITED, false);
	aborted_after_mending();
	bad_calls();
	signal_mask();
	memory();
	tap_done();
}
