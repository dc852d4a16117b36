/* SPDX-License-Identifier: MIT
 * Kills a guest at every instruction of its run, and counts what is left behind.
 *
 *     sweep GUEST.so          each kill lands at the next safe place, as ripcord/killable.h says
 *     sweep GUEST.so each     the same, and nothing shared: a process for each instruction of the guest's own code
 *     sweep GUEST.so kill     as each, but the copy is not stepped: it gets a true kill there, and runs as it does then
 *     sweep GUEST.so steps    the same, where threads cannot be armed
 *     sweep GUEST.so any      stops at once at each instruction of the guest's own code
 *
 * The guest is stepped through by the trap flag. To be killed at an instruction is to run on, step by
 * step, to the next safe place and to be stopped there: so all kills between two safe places have one
 * outcome, and one process finds it out for all of them. The process is a copy of this one, made in the
 * signal handler. In it the engine gets the stepped registers as a fault, and what the guest holds after
 * its unwinding is counted. Output: one line of names and numbers. Set
 * GLIBC_TUNABLES=glibc.malloc.tcache_count=0, so that memory can be counted. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "arch.h"
#include "fault/fault.h"
#include "kill/handle.h"
#include "patience.h"
#include "plugin/exact/ledger.h"
#include "ripcord/kill.h"
#include "ripcord/killable.h"
#include "ripcord/ripcord.h"
#include "unwind/unwind.h"

enum { NUMBERS = 64, FLAG_TRAP = 0x100, STEPS_MAX = 50000000 };
enum { HELD = 1, TWICE = 2, LANDED = 4, TROUBLE = 8, BITS = 16 };

#define EXPORT __attribute__((visibility("default")))

/* --- What the guests hold --------------------------------------------------------------------- */

static struct { int numbers[NUMBERS], files, locks, twice; } held;
EXPORT volatile int always = 1, never = 0;
EXPORT int acquire(int number);
EXPORT void release(int number);

int acquire(int number)
{
	held.numbers[number]++;
	return number;
}

static void give_back(int *count)
{
	if (--*count < 0)
		held.twice++;
}

void release(int number)
{
	give_back(&held.numbers[number]);
}

EXPORT void *take_memory(size_t size)
{
	return malloc(size);
}

EXPORT void drop_memory(void *memory)
{
	free(memory);
}

EXPORT int take_file(void)
{
	held.files++;
	return open("/dev/null", O_RDONLY);
}

EXPORT void drop_file(int file)
{
	give_back(&held.files);
	if (close(file) != 0)
		held.twice++;
}

EXPORT void take_lock(pthread_mutex_t *lock)
{
	held.locks++;
	pthread_mutex_lock(lock);
}

EXPORT void drop_lock(pthread_mutex_t *lock)
{
	give_back(&held.locks);
	pthread_mutex_unlock(lock);
}

EXPORT int call_back(int (*function)(int, void *), int times, void *argument)
{
	int result = 0;

	for (int i = 0; i < times; i++)
		result += function(i, argument);
	return result;
}

static size_t memory_at_end; /* of a run that nobody stopped */

static int count_held(void)
{
	int sum = held.files + held.locks;

	for (int i = 0; i < NUMBERS; i++)
		sum += held.numbers[i];
	return sum != 0 || (memory_at_end && mallinfo2().uordblks != memory_at_end);
}

/* --- The guest's module ----------------------------------------------------------------------- */

static struct {
	void (*entry)(void);
	uintptr_t low, high;                    /* its executable segment */
	const struct rip_killable_range *begin, *end;
} module;

static void read_note(const uint8_t *at, const uint8_t *end)
{
	while (end - at >= (ptrdiff_t)sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *header = (const void *)at;
		const uint8_t *name = at + sizeof *header, *data = name + ((header->n_namesz + 3) & ~3u);
		const struct rip_killable_note *note = (const void *)data;
		if (header->n_type == RIP_KILLABLE_NOTE_TYPE && header->n_descsz == sizeof *note &&
		    strcmp((const char *)name, RIP_KILLABLE_NOTE_NAME) == 0 &&
		    note->version == RIP_KILLABLE_VERSION) {
			module.begin = (const void *)(data + note->begin);
			module.end = (const void *)(data + note->end);
		}
		at = data + ((header->n_descsz + 3) & ~3u);
	}
}

static int read_module(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size, (void)unused;
	Dl_info found;
	if (!dladdr((void *)module.entry, &found) || info->dlpi_addr != (uintptr_t)found.dli_fbase)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + header->p_vaddr;
		if (header->p_type == PT_LOAD && header->p_flags & PF_X)
			module.low = at, module.high = at + header->p_memsz;
		if (header->p_type == PT_NOTE)
			read_note((const uint8_t *)at, (const uint8_t *)at + header->p_memsz);
	}
	return 1;
}

static bool is_own(uintptr_t pc)
{
	return pc >= module.low && pc < module.high;
}

static bool is_killable(uintptr_t pc)
{
	const struct rip_killable_range *low = module.begin, *high = module.end;

	while (low < high) { /* sorted by the linker */
		const struct rip_killable_range *middle = low + (high - low) / 2;
		uintptr_t begin = (uintptr_t)&middle->begin + (uintptr_t)(intptr_t)middle->begin;
		if (pc < begin)
			high = middle;
		else if (pc >= begin + middle->size)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

/* --- Where a kill may land: as ripcord/killable.h says, word for word ------------------------- */

static bool is_masked_frame(struct rip_cursor *cursor)
{
	uintptr_t pc = cursor->reg[RIP_REG_RIP];

	if (!is_killable(rip_cursor_lookup_pc(cursor)))
		return true;
	if (!cursor->exact && rip_arch_is_mask((const uint8_t *)pc, RIP_KILLABLE_MASK_SIZE))
		return true;
	rip_cursor_site(cursor);
	return cursor->frame.site == RIP_ROW_SITE_GAP;
}

static struct rip_context context_of(const ucontext_t *from)
{
	static const int order[RIP_REGS] = {
		REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8, REG_R9, REG_R10,
		REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP,
	};
	struct rip_context context = { .mxcsr = 0x1f80, .fcw = 0x37f };

	for (int i = 0; i < RIP_REGS; i++)
		context.reg[i] = (uint64_t)from->uc_mcontext.gregs[order[i]];
	return context;
}

static uintptr_t first_frame; /* the return address into code of this file: what lies behind is no guest's */

static bool may_land(const ucontext_t *from)
{
	struct rip_context context = context_of(from);
	struct rip_memory memory = { 0 };
	struct rip_cursor cursor;

	if (!rip_arch_is_poll((const uint8_t *)context.reg[RIP_REG_RIP], RIP_ARCH_POLL_MAX))
		return false;
	rip_cursor_init(&cursor, &context, true, &memory);
	while (cursor.reg[RIP_REG_RIP] != first_frame) {
		if (rip_cursor_load(&cursor) != RIP_OK || is_masked_frame(&cursor) ||
		    rip_cursor_step(&cursor) != RIP_OK)
			return false;
	}
	return true;
}

/* --- Stepping --------------------------------------------------------------------------------- */

static enum { SHARED, EACH, KILL, ANY } mode;
static rip_handle handle;               /* for a true kill */
static bool is_copy, verbose;
static struct sigaction engine, engine_segv;
static struct {
	long instructions, landings, ended, held, twice, trouble, other;
	long since, longest; /* instructions since the last safe place */
	long places, places_held;
} count;
static uint8_t *leaky, *seen; /* by pc */

static void on_own_again(int signal, siginfo_t *info, void *context);

static void judge(int status, uintptr_t pc)
{
	bool good = WIFEXITED(status) && WEXITSTATUS(status) < BITS;
	int bits = good ? WEXITSTATUS(status) : 0;

	count.other += !good;
	count.landings += (bits & LANDED) != 0;
	count.ended += good && !(bits & LANDED);
	count.held += (bits & HELD) != 0;
	count.twice += (bits & TWICE) != 0;
	count.trouble += (bits & TROUBLE) != 0;
	if ((!good || bits & ~LANDED) && verbose)
		fprintf(stderr, "%lx: status %x, instruction %ld\n", (long)(pc - module.low), status,
			count.instructions);
	if (is_own(pc)) {
		seen[pc - module.low] = 1;
		leaky[pc - module.low] |= !good || bits & ~LANDED;
	}
}

static void protect_own(int protection)
{
	uintptr_t begin = module.low & ~(uintptr_t)4095;

	if (mprotect((void *)begin, module.high - begin, PROT_READ | protection) != 0)
		_exit(98);
}

/* A copy runs foreign code at full speed: no kill lands there. The guest's own code cannot be executed for
 * as long, so it is back under control at the first instruction of it. */
static void leave_own(ucontext_t *context)
{
	struct sigaction action = { .sa_sigaction = on_own_again, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	protect_own(0);
	sigaction(SIGSEGV, &action, &engine_segv);
	context->uc_mcontext.gregs[REG_EFL] &= ~FLAG_TRAP;
}

static void on_own_again(int signal, siginfo_t *info, void *context)
{
	ucontext_t *from = context;

	sigaction(SIGSEGV, &engine_segv, NULL);
	protect_own(PROT_EXEC);
	if (!is_own((uintptr_t)from->uc_mcontext.gregs[REG_RIP])) {
		engine_segv.sa_sigaction(signal, info, context);
		return;
	}
	from->uc_mcontext.gregs[REG_EFL] |= FLAG_TRAP;
	if (may_land(from))
		engine.sa_sigaction(SIGTRAP, info, context);
}

static void step_in_copy(int signal, siginfo_t *info, void *context)
{
	ucontext_t *from = context;

	if (!is_own((uintptr_t)from->uc_mcontext.gregs[REG_RIP]))
		leave_own(from);
	else if (may_land(from))
		engine.sa_sigaction(signal, info, context);
}

/* A copy has no timer thread: nudges come by a timer of the system's, the first when the handler returns. */
static void kill_truly(ucontext_t *context)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = RIP_NUDGE_SIGNAL };
	struct itimerspec every = { { 0, 1000000 }, { 0, 1000000 } };
	timer_t timer;

	sigaction(SIGTRAP, &engine, NULL);
	context->uc_mcontext.gregs[REG_EFL] &= ~FLAG_TRAP;
	rip_slot_enter(handle)->tid = (int)syscall(SYS_gettid);
	rip_slot_leave(handle);
	if (rip_kill(handle, RIP_SOFT) != RIP_OK || timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
	    timer_settime(timer, 0, &every, NULL) != 0)
		_exit(97);
}

static void kill_in_copy(int signal, siginfo_t *info, void *context)
{
	ucontext_t *from = context;
	pid_t copy = _Fork();

	if (copy == 0) {
		is_copy = true;
		patience(20);
		if (mode == KILL)
			kill_truly(from);
		else if (mode != EACH || may_land(from))
			engine.sa_sigaction(signal, info, context);
		return;
	}
	int status = -1;
	while (waitpid(copy, &status, 0) < 0 && errno == EINTR)
		;
	judge(status, (uintptr_t)from->uc_mcontext.gregs[REG_RIP]);
}

static void on_step(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *from = context;
	uintptr_t pc = (uintptr_t)from->uc_mcontext.gregs[REG_RIP];
	int error = errno;

	if (++count.instructions > STEPS_MAX)
		_exit(99);
	if (is_copy) { /* on its way to the next safe place */
		step_in_copy(signal, info, context);
		return;
	}
	bool here = mode == ANY ? is_own(pc) : may_land(from);
	count.since++;
	if (here || ((mode == EACH || mode == KILL) && is_own(pc)))
		kill_in_copy(signal, info, context);
	if (here && count.since > count.longest)
		count.longest = count.since;
	if (here)
		count.since = 0;
	errno = error;
}

static void set_trap_flag(bool on)
{
	unsigned long long flags = __builtin_ia32_readeflags_u64();

	__builtin_ia32_writeeflags_u64(on ? flags | FLAG_TRAP : flags & ~(unsigned long long)FLAG_TRAP);
}

__attribute__((noinline)) static intptr_t guest(void *stepped)
{
	if (stepped)
		set_trap_flag(true);
	module.entry();
	set_trap_flag(false);
	return 0;
}

/* For true kills no frame of this file may be below the guest's: it has to do without guest(). */
static rip_status run_stepped(rip_guest *it, bool stepped, rip_outcome *outcome_ret)
{
	if (mode != KILL)
		return rip_run(it, guest, stepped ? &is_copy : NULL, outcome_ret);
	if (stepped)
		set_trap_flag(true);
	rip_status status = rip_run(it, (rip_function)(void *)module.entry, NULL, outcome_ret);
	set_trap_flag(false);
	return status;
}

/* Where entry() returns to: behind the only indirect call of guest(). */
static void find_first_frame(void)
{
	const uint8_t *code = (const uint8_t *)guest;
	int32_t distance;

	for (size_t i = 2; i < 400 && !first_frame; i++)
		if (rip_arch_call_before(code + i, i, &distance) == RIP_CALL_INDIRECT)
			first_frame = (uintptr_t)(code + i);
}

static int run(bool stepped)
{
	rip_guest *it;
	rip_outcome outcome;
	struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	rip_options options = { .grace = RIP_NEVER };

	if (rip_create(&options, &it) != RIP_OK || (mode == KILL && rip_get_handle(it, &handle) != RIP_OK))
		return TROUBLE;
	sigaddset(&action.sa_mask, RIP_NUDGE_SIGNAL);
	sigaction(SIGTRAP, &action, &engine);
	if (run_stepped(it, stepped, &outcome) != RIP_OK)
		return TROUBLE;
	sigaction(SIGTRAP, &engine, NULL);
	const rip_report *report = rip_get_report(it);
	int bits = outcome.cause == (mode == KILL ? RIP_CAUSE_KILLED : RIP_CAUSE_FAULT) ? LANDED : 0;
	if (bits && (report->abandoned || report->cleanups_failed))
		bits |= TROUBLE;
	rip_destroy(it);
	return bits | (count_held() ? HELD : 0) | (held.twice ? TWICE : 0);
}

static bool load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);

	if (library)
		module.entry = (void (*)(void))dlsym(library, "entry");
	if (!module.entry) {
		fprintf(stderr, "%s\n", dlerror());
		return false;
	}
	dl_iterate_phdr(read_module, NULL);
	seen = calloc(2, module.high - module.low);
	leaky = seen + (module.high - module.low);
	return seen != NULL;
}

static int mode_of(const char *name)
{
	rip_arm_never = strcmp(name, "steps") == 0;
	if (*name == '\0')
		return SHARED;
	return strcmp(name, "each") == 0 ? EACH : strcmp(name, "any") == 0 ? ANY : KILL;
}

int main(int argc, char **argv)
{
	verbose = getenv("VERBOSE") != NULL;
	if (argc < 2 || !load(argv[1]))
		return 2;
	mode = mode_of(argc < 3 ? "" : argv[2]);
	find_first_frame();
	run(false); /* what is allocated once is there afterwards */
	memory_at_end = 0;
	run(false);
	memory_at_end = mallinfo2().uordblks;
	int bits = run(true);
	if (is_copy)
		_exit(bits);
	for (uintptr_t i = 0; i < module.high - module.low; i++)
		count.places += seen[i], count.places_held += leaky[i];
	printf("instructions %ld landings %ld ended %ld held %ld twice %ld trouble %ld other %ld longest %ld "
	       "places %ld bad_places %ld whole %d\n", count.instructions, count.landings, count.ended, count.held,
	       count.twice, count.trouble, count.other, count.longest, count.places, count.places_held, bits == 0);
	return 0;
}
