/* SPDX-License-Identifier: MIT
 * differential_lib: single-steps the workload in a child process, and at every instruction holds what the unwinder says
 * of the callers against a shadow call stack, which knows from watching the calls.
 *
 * The child is a fork: so its modules lie where this process's do, whose unwind tables are used. Usage: NAME COUNT
 * (instructions to check in all). */
#include "differential_lib.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ripcord/unwind.h"
#include "tap.h"

enum { DEPTH = 1024, SAVED = 6, WHOLE_WALK_EVERY = 16, NEAR_FRAMES = 3, PLACES = 512 };

static struct shared *shared;
static pid_t child;
static struct user_regs_struct regs;

/* --- The shadow stack --- */

/* psABI 3.2.1: what a call preserves besides rsp. */
static const unsigned saved_numbers[SAVED] = {
	RIP_X86_64_RBX, RIP_X86_64_RBP, RIP_X86_64_R12, RIP_X86_64_R13, RIP_X86_64_R14, RIP_X86_64_R15,
};

/* A caller, as it stood at its call instruction. */
struct caller {
	uint64_t pc;   /* where it goes on */
	uint64_t cfa;  /* its rsp before the call: the callee's CFA */
	uint64_t saved[SAVED];
};

static struct caller callers[DEPTH];
static int depth, max_depth;
static uint64_t depth_sum;

static bool is_call(uint64_t pc)
{
	static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3 };
	const uint8_t *code = (const uint8_t *)pc;

	while (memchr(prefixes, *code, sizeof prefixes))
		code++;
	if ((*code & 0xf0) == 0x40)
		code++;
	return *code == 0xe8 || (*code == 0xff && (code[1] >> 3 & 7) == 2);
}

static void get_saved(uint64_t saved[SAVED])
{
	saved[0] = regs.rbx, saved[1] = regs.rbp, saved[2] = regs.r12;
	saved[3] = regs.r13, saved[4] = regs.r14, saved[5] = regs.r15;
}

/* --- The child's memory --- */

/* What lies on top of its stack, read once for each instruction. */
static struct {
	uint64_t begin, size;
	uint8_t bytes[4096];
} top;

static bool copy_memory(uint64_t address, void *to, size_t size)
{
	struct iovec here = { to, size }, there = { (void *)address, size };

	return process_vm_readv(child, &here, 1, &there, 1, 0) == (ssize_t)size;
}

static void read_top(void)
{
	struct iovec here = { top.bytes, sizeof top.bytes }, there;

	top.begin = regs.rsp - 128;
	there = (struct iovec){ (void *)top.begin, sizeof top.bytes };
	ssize_t got = process_vm_readv(child, &here, 1, &there, 1, 0);
	top.size = got > 0 ? (uint64_t)got : 0;
}

static bool read_memory(void *context, uint64_t address, void *to, size_t size)
{
	(void)context;
	if (address < top.begin || size > top.size || address - top.begin > top.size - size)
		return copy_memory(address, to, size);
	memcpy(to, top.bytes + (address - top.begin), size);
	return true;
}

/* --- Comparing --- */

static long checked[AREAS], mismatches, known, callers_checked;

/* Places where something did not match, each function once. */
static struct {
	const char *module, *function;
	uint64_t offset;
	long count;
	char what[64];
} places[PLACES];

/* Code that ends frames: its tables tell of the frame that is about to be, from where its first register is loaded to
 * the jump there; the shadow stack of the one that still is. In glibc's __longjmp the CFA is the jmp_buf (rdi), and
 * later rsp; so it is in our own rip_arch_resume, with its registers. Neither has a dynamic symbol. What the unwinder
 * says there is a promise, which the jump must keep. */
static bool is_known(const char *module, const char *function)
{
	/* mov 0x38(%rdi),%rsp; jmp *%rcx */
	static const uint8_t resume_end[] = { 0x48, 0x8b, 0x67, 0x38, 0xff, 0xe1 };
	/* mov %r8,%rsp; mov %r9,%rbp; jmp *%rdx */
	static const uint8_t longjmp_end[] = { 0x4c, 0x89, 0xc4, 0x4c, 0x89, 0xcd, 0xff, 0xe2 };
	bool resume = strcmp(module, "libripcord-unwind.so") == 0, longjmp = strcmp(module, "libc.so.6") == 0;

	if (strcmp(function, "?") != 0)
		return false;
	return (resume && memmem((void *)(regs.rip - 4), 48 + 4, resume_end, sizeof resume_end)) ||
	       (longjmp && memmem((void *)(regs.rip - 8), 32 + 8, longjmp_end, sizeof longjmp_end));
}

static struct {
	bool made;
	struct caller target;
} promise;
static long kept, broken;

/* All instructions up to the jump must promise the same. */
static void promise_target(const struct caller *target)
{
	if (promise.made && memcmp(&promise.target, target, sizeof *target) != 0)
		broken++;
	promise.made = true;
	promise.target = *target;
}

static void check_promise(void)
{
	uint64_t saved[SAVED];

	if (!promise.made || regs.rip != promise.target.pc)
		return;
	get_saved(saved);
	bool same = regs.rsp == promise.target.cfa && memcmp(saved, promise.target.saved, sizeof saved) == 0;
	*(same ? &kept : &broken) += 1;
	promise.made = false;
}

static void note_mismatch(const char *what, int frame, rip_status status, const struct caller *target)
{
	Dl_info info = { 0 };
	int i = 0;

	dladdr((void *)regs.rip, &info);
	const char *module = info.dli_fname ? strrchr(info.dli_fname, '/') : NULL;
	module = module ? module + 1 : info.dli_fname ? info.dli_fname : "?";
	const char *function = info.dli_sname ? info.dli_sname : "?";
	uint64_t offset = regs.rip - (uintptr_t)(info.dli_sname ? info.dli_saddr : info.dli_fbase);
	if (status == RIP_OK && frame == 0 && is_known(module, function)) {
		known++;
		promise_target(target);
		return;
	}
	mismatches++;
	while (i < PLACES - 1 && places[i].count && (places[i].offset != offset || strcmp(places[i].module, module) ||
						 strcmp(places[i].function, function)))
		i++;
	places[i].module = module;
	places[i].function = function;
	places[i].offset = offset;
	if (!places[i].count++)
		snprintf(places[i].what, sizeof places[i].what, "%s, caller %d, %s", what, frame, rip_status_name(status));
}

static void put_registers(uint64_t to[RIP_X86_64_REGISTERS])
{
	const uint64_t from[RIP_X86_64_REGISTERS] = {
		regs.rax, regs.rdx, regs.rcx, regs.rbx, regs.rsi, regs.rdi, regs.rbp, regs.rsp, regs.r8,
		regs.r9, regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15, regs.rip,
	};
	memcpy(to, from, sizeof from);
}

static void get_caller(const rip_unwind_cursor *cursor, struct caller *caller)
{
	rip_unwind_get(cursor, RIP_X86_64_RIP, &caller->pc);
	rip_unwind_get(cursor, RIP_X86_64_RSP, &caller->cfa);
	for (int i = 0; i < SAVED; i++)
		rip_unwind_get(cursor, saved_numbers[i], &caller->saved[i]);
}

static const char *difference(const rip_unwind_cursor *cursor, const struct caller *caller)
{
	static const char *const names[SAVED] = { "rbx", "rbp", "r12", "r13", "r14", "r15" };
	struct caller got;

	get_caller(cursor, &got);
	if (got.pc != caller->pc)
		return "pc";
	if (got.cfa != caller->cfa)
		return "cfa";
	for (int i = 0; i < SAVED; i++)
		if (got.saved[i] != caller->saved[i])
			return names[i];
	return NULL;
}

/* The nearest callers at each instruction, all of them now and then. */
static void check(long number)
{
	uint64_t registers[RIP_X86_64_REGISTERS];
	rip_unwind_cursor cursor;
	int frames = number % WHOLE_WALK_EVERY == 0 || depth < NEAR_FRAMES ? depth : NEAR_FRAMES;

	read_top();
	put_registers(registers);
	rip_unwind_registers(&cursor, registers, true, read_memory, NULL);
	for (int frame = 0; frame < frames; frame++) {
		rip_status status = rip_unwind_step(&cursor);
		const char *what = status == RIP_OK ? difference(&cursor, &callers[depth - 1 - frame]) : "step";
		if (what) {
			struct caller target;
			get_caller(&cursor, &target);
			note_mismatch(what, frame, status, &target);
			return;
		}
		callers_checked++;
	}
}

/* --- Stepping --- */

static bool resume(int request)
{
	int status;

	if (ptrace(request, child, NULL, NULL) != 0 || waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		return false;
	if (WSTOPSIG(status) != SIGTRAP) {
		printf("# the child got signal %d\n", WSTOPSIG(status));
		return false;
	}
	return ptrace(PTRACE_GETREGS, child, NULL, &regs) == 0;
}

/* A call makes a caller; whatever moves rsp up to a caller's or beyond ends its callees: ret, longjmp, a throw. */
static bool follow_step(void)
{
	struct caller caller = { .cfa = regs.rsp };
	uint64_t from = regs.rip;
	bool call = is_call(from);

	get_saved(caller.saved);
	if (!resume(PTRACE_SINGLESTEP))
		return false;
	while (depth > 0 && callers[depth - 1].cfa <= regs.rsp)
		depth--;
	if (!call || regs.rsp != caller.cfa - 8)
		return true;
	if (!copy_memory(regs.rsp, &caller.pc, sizeof caller.pc) || caller.pc - from > 15 || depth == DEPTH)
		return false;
	callers[depth++] = caller;
	if (depth > max_depth)
		max_depth = depth;
	return true;
}

/* From the start of an area until enough of it was seen. True if it all went well. */
static bool step_area(long enough)
{
	enum area area = shared->area;
	uint64_t last = 0;

	depth = 0;
	while (checked[area] < enough) {
		if (!follow_step())
			return false;
		if (depth == 0 || regs.rip == last) /* a string instruction's next round */
			continue;
		last = regs.rip;
		check_promise();
		check(++checked[area]);
		depth_sum += (uint64_t)depth;
	}
	shared->enough[area] = true;
	return true;
}

static bool start_child(void)
{
	int status;

	child = fork();
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(77);
		raise(SIGSTOP);
		workload(shared);
		_exit(0);
	}
	return waitpid(child, &status, 0) == child && WIFSTOPPED(status);
}

int main(int argc, char **argv)
{
	static const char *const names[AREAS] = { "libc", "libm", "libstdc++", "Duktape" };
	long total = argc > 1 ? atol(argv[1]) : 100000, sum = 0;

	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	workload_warm_up();
	fflush(stdout);
	if (!start_child())
		tap_skip_all("a child cannot be traced here");
	while (resume(PTRACE_CONT) && step_area((total + workload_areas() - 1) / workload_areas()))
		;
	kill(child, SIGKILL);
	for (int area = 0; area < AREAS; area++) {
		if (area >= workload_areas())
			continue;
		tap_ok(checked[area] >= total / workload_areas(), "%s: %ld instructions checked", names[area], checked[area]);
		sum += checked[area];
	}
	for (int i = 0; i < PLACES && places[i].count; i++)
		printf("# %s %s+0x%lx: %ld times: %s\n", places[i].module, places[i].function, places[i].offset,
		       places[i].count, places[i].what);
	printf("# %ld instructions, %ld callers, depth %d at most, %.1f on average\n", sum, callers_checked, max_depth,
	       (double)depth_sum / (double)(sum ? sum : 1));
	printf("# %ld mismatches; %ld instructions of longjmp and landings, %ld jumps where they say\n", mismatches, known,
	       kept);
	tap_ok(sum >= total, "%ld instructions of %ld", sum, total);
	tap_ok(max_depth >= 10 && depth_sum >= 4 * (uint64_t)sum, "at depths that count");
	tap_ok(broken == 0 && (kept > 0 || total < 1000000), "longjmp and landings lead where they say");
	tap_equal(mismatches, 0, "callers' pcs, CFAs and registers are those of the shadow stack");
	tap_done();
}
