/* SPDX-License-Identifier: MIT
 * stepper: runs the guest, one instruction at a time, and has copies of the process stopped. */
#include "ripcord/fault.h"
#include "ripcord/step.h"
#include "ripcord/symbolize.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "sweep.h"

enum { FLAG_TRAP = SWEEP_FLAG_TRAP, FRAME_MAX = 1 << 20, KILLABLE_UNKNOWN = 0, KILLABLE_NO = 1, KILLABLE_YES = 2 };

static const struct sweep_plan *plan;
static enum sweep_mode mode;
static unsigned number;
static struct sweep_worker *me;
static struct sweep_site *sites;  /* by byte of the guest's code; known ones are filled in */
static uint8_t *killable;         /* likewise */
static uint8_t from_byte;         /* of the code at module.from, while a breakpoint stands there */
static bool begun;                /* it has been stepped */
static bool has_killable;         /* the compiler said of any code that it is */
static bool stopped;              /* in this process, the guest has been */
static pid_t process;
static uint64_t steps;            /* the guest's own instructions */
static uint64_t calls;            /* of other code */
static bool outside;              /* in other code */
static uint64_t events;           /* stops, of all workers */
static uint64_t candidates[SWEEP_KINDS];
static uintptr_t deeper;          /* where the instruction accesses the stack deeper than those before it, or 0 */
static uint64_t waiting, waiting_since; /* kills on their way to a place where they land; the first one's step */
static struct sweep_finding current; /* what is being done: a copy's findings begin with it */

bool sweep_is_stopped(void)
{
	return stopped;
}

/* What a cleanup acquires belongs to it. */
uint64_t sweep_calls(void)
{
	return stopped ? UINT64_MAX : calls;
}

/* Called by a debugger's user: here the stop is about to happen. */
__attribute__((noinline, visibility("default"))) void ripcord_sweep_here(void)
{
	__asm__ volatile("" : : : "memory");
}

/* Whoever steps is not to be stepped: the kernel ends a traced process at its second trap. */
bool sweep_is_traced(void)
{
	char text[4096];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (fd >= 0)
		close(fd);
	text[got < 0 ? 0 : got] = 0;
	const char *found = strstr(text, "\nTracerPid:\t");
	return found && found[strlen("\nTracerPid:\t")] != '0';
}

static void wait_for_debugger(void)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	fprintf(stderr, "gdb -p %ld -ex 'break ripcord_sweep_here' -ex continue\n", (long)getpid());
	while (!sweep_is_traced())
		nanosleep(&pause, NULL);
}

/* --- What is to be done at an instruction --- */

static bool is_in(uintptr_t pc)
{
	const struct sweep_module *module = plan->module;

	for (size_t i = 0; module->in && i < module->in_count; i++)
		if (pc >= module->in[i].begin && pc < module->in[i].end)
			return true;
	return !module->in;
}

/* Whether this candidate of the kind is one of those that were asked for. */
static bool is_picked(enum sweep_kind kind)
{
	uint64_t at = candidates[kind]++;

	if (mode == MODE_COUNT)
		return false;
	if (mode == MODE_REPLAY)
		return plan->options->replay == steps && plan->options->replay_kind == kind;
	if (plan->picked[kind])
		return plan->picked[kind][at / 64] >> at % 64 & 1;
	return at % plan->options->every == 0;
}

static bool is_wanted(enum sweep_kind kind)
{
	return mode == MODE_REPLAY ? plan->options->replay_kind == kind : plan->options->kinds >> kind & 1;
}

/* Where this instruction would overflow the stack if that ended there; 0: nowhere. It is the first to come so deep
 * since the stack pointer was above: a stack that has room for what was accessed before has room for it again. */
static uintptr_t deeper_at(const struct sweep_site *site, const void *ucontext)
{
	static uintptr_t lowest, last_sp;
	uintptr_t sp = (uintptr_t)((const ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RSP];
	uintptr_t end = rip_step_glance().stack_end;

	if (sp > last_sp)
		lowest = sp;
	last_sp = sp;
	uintptr_t at = sweep_lowest_access(site, ucontext, end);
	if (at >= lowest)
		return 0;
	lowest = at;
	return at;
}

static const struct sweep_site *site_at(uintptr_t pc, const void *ucontext)
{
	size_t at = pc - plan->module->low;

	if (!sites[at].known) {
		sites[at] = sweep_site_of(pc, plan->module->high);
		sites[at].can_fault &= !sweep_is_harmless(plan, pc);
		killable[at] = rip_step_look(ucontext).killable ? KILLABLE_YES : KILLABLE_NO;
	}
	return &sites[at];
}

/* Whether rbp may be one: it then points to the frame, not far above the stack pointer. */
static bool is_frame_pointer(const void *ucontext)
{
	const greg_t *reg = ((const ucontext_t *)ucontext)->uc_mcontext.gregs;

	return (uint64_t)reg[REG_RBP] - (uint64_t)reg[REG_RSP] < FRAME_MAX;
}

/* Ripcord's own functions in the guest's file are not the compiler's work: faults there are not the guest's. */
static bool is_candidate(enum sweep_kind kind, const struct sweep_site *site, uintptr_t pc, const void *ucontext)
{
	if (has_killable && killable[pc - plan->module->low] != KILLABLE_YES)
		return false;
	return kind == SWEEP_FAULT ? site->can_fault || plan->options->any_fault ||
				     (site->through_rbp && !is_frame_pointer(ucontext)) :
	       kind == SWEEP_OVERFLOW ? deeper != 0 : site->calls;
}

/* --- Copies --- */

static void send_finding(const struct sweep_plan *to, const struct sweep_finding *finding)
{
	if (write(to->findings, finding, sizeof *finding) != sizeof *finding)
		_exit(1);
}

static void find_end(int status)
{
	if (!WIFSIGNALED(status) && !(WIFEXITED(status) && WEXITSTATUS(status) != 0))
		return;
	bool hung = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

	current.what = hung ? FOUND_HUNG : FOUND_DIED;
	if (hung)
		strcpy(current.text, "not over in time");
	else if (WIFSIGNALED(status))
		snprintf(current.text, sizeof current.text, "the process, by signal %d", WTERMSIG(status));
	else
		snprintf(current.text, sizeof current.text, "the process, with status %d", WEXITSTATUS(status));
	send_finding(plan, &current);
}

static void stop_here(enum sweep_kind kind, const struct sweep_site *site, void *ucontext)
{
	stopped = true;
	sweep_outside_end();
	if (plan->options->waits)
		wait_for_debugger();
	ripcord_sweep_here();
	if (!sweep_stop(kind, site, deeper, ucontext))
		_exit(3);
}

/* Not by libc's fork: the copy's thread has to be the one that holds the guest's locks. Mutexes that know their owner know
 * it by the number that libc keeps of the thread. */
static pid_t copy_process(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static void stop_in_copy(enum sweep_kind kind, const struct sweep_site *site, void *ucontext)
{
	int status = 0;
	pid_t copy = copy_process();

	if (copy == 0) {
		sweep_limit_time(plan->options->limit);
		sweep_separate_files(plan->findings);
		stop_here(kind, site, ucontext);
		return;
	}
	if (copy < 0) {
		status = 1 << 8;
	} else {
		while (waitpid(copy, &status, 0) < 0 && errno == EINTR)
			;
	}
	find_end(status);
	me->copies++;
}

/* The other workers do it, too. */
static void note_seen(uintptr_t pc, enum sweep_kind kind)
{
	__atomic_fetch_or(&plan->seen[pc - plan->module->low], (uint8_t)(1u << kind), __ATOMIC_RELAXED);
}

/* `times`: what the stop stands for. The workers take turns. */
static void stop_once(enum sweep_kind kind, const struct sweep_site *site, uint64_t step, uint64_t times, void *ucontext)
{
	uintptr_t pc = (uintptr_t)((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP];

	current = (struct sweep_finding){ .step = step, .times = times, .pc = pc, .kind = (uint8_t)kind };
	if (mode == MODE_REPLAY) {
		stop_here(kind, site, ucontext);
		return;
	}
	if (events++ % plan->options->jobs != number)
		return;
	note_seen(pc, kind);
	me->done[kind] += times;
	stop_in_copy(kind, site, ucontext);
}

/* --- Steps --- */

/* An instruction that could be a poll: rare enough to ask the library (killable.h, 1). */
static bool may_be_poll(uintptr_t pc)
{
	const uint8_t *code = (const uint8_t *)pc;

	return code[0] == 0x64;
}

static void consider_kill(uintptr_t pc, void *ucontext)
{
	if (is_in(pc) && is_picked(SWEEP_KILL)) {
		if (mode == MODE_SWEEP)
			note_seen(pc, SWEEP_KILL);
		if (waiting++ == 0)
			waiting_since = steps;
	}
	if (!may_be_poll(pc) || (!waiting && mode != MODE_COUNT) || !rip_step_look(ucontext).lands)
		return;
	if (mode == MODE_COUNT) {
		plan->shared->count.places++;
		plan->shared->count.after_last = candidates[SWEEP_KILL]; /* so far: see note_end */
	}
	uint64_t times = waiting;
	waiting = 0;
	if (times)
		stop_once(SWEEP_KILL, NULL, waiting_since, times, ucontext);
}

static void consider(uintptr_t pc, void *ucontext)
{
	const struct sweep_site *site = site_at(pc, ucontext);

	deeper = is_wanted(SWEEP_OVERFLOW) ? deeper_at(site, ucontext) : 0;
	if (is_wanted(SWEEP_KILL))
		consider_kill(pc, ucontext);
	for (enum sweep_kind kind = SWEEP_FAULT; kind < SWEEP_KINDS && !stopped; kind++)
		if (is_wanted(kind) && is_in(pc) && is_candidate(kind, site, pc, ucontext) && is_picked(kind))
			stop_once(kind, site, steps, 1, ucontext);
}

static void step_on(uintptr_t pc, void *ucontext)
{
	outside = false;
	if (mode == MODE_COUNT)
		plan->seen[pc - plan->module->low] |= SEEN_RUN; /* alone */
	consider(pc, ucontext);
	me->steps = ++steps;
}

/* --- Where it begins --- */

static bool write_code(uintptr_t at, uint8_t byte)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *begin = (void *)(at & ~(page - 1));

	if (mprotect(begin, page, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
		return false;
	*(volatile uint8_t *)at = byte;
	return mprotect(begin, page, PROT_READ | PROT_EXEC) == 0;
}

static bool set_breakpoint(uintptr_t at)
{
	from_byte = *(const uint8_t *)at;
	return write_code(at, 0xcc);
}

/* The breakpoint was it: the instruction that it stands in for comes next, stepped. */
static bool is_beginning(greg_t *reg)
{
	if (begun || plan->module->from == 0 || (uintptr_t)reg[REG_RIP] != plan->module->from + 1)
		return false;
	begun = write_code(plan->module->from, from_byte);
	reg[REG_RIP]--;
	reg[REG_EFL] |= FLAG_TRAP;
	return true;
}

static bool is_own(uintptr_t pc)
{
	return pc >= plan->module->low && pc < plan->module->high;
}

static void leave_own_code(void *ucontext)
{
	if (rip_step_glance().inside)
		calls += !outside;
	outside = true;
	sweep_outside_enter(ucontext);
}

static void on_step(greg_t *reg, void *ucontext)
{
	if (getpid() != process)
		reg[REG_EFL] &= ~(greg_t)FLAG_TRAP;
	else if (!is_own((uintptr_t)reg[REG_RIP]))
		leave_own_code(ucontext);
	else if (rip_step_glance().inside)
		step_on((uintptr_t)reg[REG_RIP], ucontext);
}

static void on_trap(int signal, siginfo_t *info, void *ucontext)
{
	greg_t *reg = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
	int error = errno;

	if (!stopped && is_beginning(reg)) {
		step_on((uintptr_t)reg[REG_RIP], ucontext);
	} else if (!stopped && sweep_outside_resume(info, ucontext)) {
	} else if (info->si_code != TRAP_TRACE || stopped) { /* the guest's own breakpoint, or the engine's step to a poll */
		if (!rip_handle_signal(signal, info, ucontext))
			reg[REG_EFL] &= ~(greg_t)FLAG_TRAP;
	} else {
		on_step(reg, ucontext);
	}
	errno = error;
}

/* In the process that steps. */
static void on_fault(int signal, siginfo_t *info, void *ucontext)
{
	greg_t *reg = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
	int error = errno;
	enum sweep_return back = sweep_outside_leave(info, ucontext);

	if (back == RETURN_STEPPED)
		on_step(reg, ucontext);
	else if (back == RETURN_NONE && !rip_handle_signal(signal, info, ucontext))
		sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	errno = error;
}

/* By hand: GCC's builtins leave the pushes out of the CFI. */
__attribute__((naked, noinline)) static void set_trap_flag(void)
{
	__asm__("pushfq\n.cfi_adjust_cfa_offset 8\norq $0x100, (%rsp)\npopfq\n.cfi_adjust_cfa_offset -8\nret");
}

__attribute__((naked, noinline)) static void clear_trap_flag(void)
{
	__asm__("pushfq\n.cfi_adjust_cfa_offset 8\nandq $~0x100, (%rsp)\npopfq\n.cfi_adjust_cfa_offset -8\nret");
}

/* --- A run --- */

/* The guest's words would be printed again for each stop. */
static void be_quiet(void)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3; fd++)
		dup2(nothing, fd);
	if (nothing > 2)
		close(nothing);
}

static _Noreturn void fail(const char *what)
{
	current = (struct sweep_finding){ .kind = SWEEP_END, .what = FOUND_DIED };
	snprintf(current.text, sizeof current.text, "%s", what);
	send_finding(plan, &current);
	_exit(1);
}

static rip_guest *prepare(void)
{
	rip_options options = { .stack_size = plan->options->stack_size };
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	size_t size = plan->module->high - plan->module->low;
	rip_guest *guest;

	process = getpid();
	me = &plan->shared->workers[number];
	sites = calloc(size, sizeof *sites);
	killable = calloc(size, 1);
	if (!sites || !killable || rip_create(&options, &guest) != RIP_OK)
		fail("no guest could be made");
	sigaction(SIGTRAP, &action, NULL);
	sweep_outside_begin(plan->module, on_fault);
	has_killable = plan->module->has_killable;
	if (mode != MODE_REPLAY)
		be_quiet();
	sweep_judge_begin();
	return guest;
}

static void note_end(const rip_outcome *outcome, const rip_report *report)
{
	struct sweep_count *count = &plan->shared->count;

	if (mode != MODE_COUNT)
		return;
	count->instructions = steps;
	count->others = calls;
	memcpy(count->candidates, candidates, sizeof candidates);
	count->after_last = candidates[SWEEP_KILL] - count->after_last;
	count->cause = outcome->cause;
	count->value = outcome->value;
	count->guest_signal = report ? (uint64_t)report->signal : 0;
}

static void print_finding(const struct sweep_plan *unused, const struct sweep_finding *finding)
{
	(void)unused;
	printf("%s: %s\n", sweep_what_name((enum sweep_what)finding->what), finding->text);
}

static int write_report(void *unused, const char *text, size_t size)
{
	(void)unused;
	return fwrite(text, 1, size, stderr) != size;
}

/* As `ripcord run` does. */
static void show_report(const rip_report *report)
{
	rip_symbolizer *symbolizer = NULL;

	if (!report || !stopped)
		return;
	rip_symbolizer_create(&symbolizer);
	rip_report_text(report, symbolizer, write_report, NULL);
	rip_symbolizer_destroy(symbolizer);
}

bool sweep_run(const struct sweep_plan *the_plan, enum sweep_mode the_mode, unsigned the_number)
{
	rip_outcome outcome;

	plan = the_plan;
	mode = the_mode;
	number = the_number;
	rip_guest *guest = prepare();
	if (!plan->module->from)
		set_trap_flag();
	else if (!set_breakpoint(plan->module->from))
		fail("no breakpoint can be set");
	rip_status status = rip_program_run(plan->program, guest, plan->options->argument_count, plan->options->arguments,
					    &outcome);
	clear_trap_flag();
	if (!stopped)
		sweep_outside_end();
	if (status != RIP_OK)
		fail(rip_status_text(status));
	const rip_report *report = rip_get_report(guest);
	if (!stopped)
		current = (struct sweep_finding){ .kind = SWEEP_END, .times = 1 };
	if (!stopped && number == 0)
		me->done[SWEEP_KILL] += waiting; /* they come too late */
	note_end(&outcome, report);
	bool found = false;
	if (stopped && current.kind == SWEEP_OVERFLOW && !sweep_has_overflowed())
		_exit(4);
	if (stopped || mode == MODE_COUNT)
		found = sweep_judge(plan, report, current, calls, mode == MODE_REPLAY ? print_finding : send_finding) != 0;
	me->ended = !stopped;
	if (mode == MODE_REPLAY) {
		show_report(report);
		return found;
	}
	_exit(0);
}
