/* SPDX-License-Identifier: MIT
 * Faults at every access: the guests' data lie in a page of their own, which is closed. Run k lets the first
 * k - 1 accesses through, one single step each, and hands the k-th to the engine as the fault it is. So every
 * occurrence of every trapping instruction is the place of a stop once, and each time all that was
 * acquired must be released exactly once. Built at each optimisation level (see tests.mk). */
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "run_guest.h"

struct node {
	struct node *next;
	int value, flag;
	int numbers[8];
	double real;
};

/* The closed page: all that the guests below read and write, but not what counts the resources. */
static struct data {
	struct node nodes[16];
	struct node copy;
	int total, divisor;
	_Atomic int atomic;
	void (*call)(int);
	char text[64];
} *data;

/* --- Access by access --- */

enum { PAGE = 4096 };

static long let_through;    /* accesses still to be let through */
static long seen;           /* accesses of this run */
static struct sigaction engine_segv, engine_trap;
static uintptr_t places[4096];
static int place_count;

static void note_place(uintptr_t pc)
{
	for (int i = 0; i < place_count; i++)
		if (places[i] == pc)
			return;
	if (place_count < 4096)
		places[place_count++] = pc;
}

static void set_step(ucontext_t *context, int on)
{
	greg_t *flags = &context->uc_mcontext.gregs[REG_EFL];
	*flags = on ? *flags | 0x100 : *flags & ~0x100L;
}

static void on_access(int signal, siginfo_t *info, void *context)
{
	uintptr_t offset = (uintptr_t)info->si_addr - (uintptr_t)data;

	if (info->si_code > 0 && offset < PAGE) {
		seen++;
		mprotect(data, PAGE, PROT_READ | PROT_WRITE);
		if (let_through-- > 0) {
			set_step(context, 1);
			return;
		}
		note_place((uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP]);
	}
	engine_segv.sa_sigaction(signal, info, context);
}

static void on_step(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info;
	mprotect(data, PAGE, PROT_NONE);
	set_step(context, 0);
}

/* --- Guests --- */

static void nothing(int number) { sink = number; }

static void prepare(void)
{
	memset(data, 0, sizeof *data);
	for (int i = 0; i < 16; i++) {
		data->nodes[i].next = i < 15 ? &data->nodes[i + 1] : NULL;
		data->nodes[i].value = i;
		data->nodes[i].flag = i % 3 == 0;
		for (int j = 0; j < 8; j++)
			data->nodes[i].numbers[j] = i * j;
		data->nodes[i].real = i * 0.5;
	}
	data->divisor = 3;
	data->call = nothing;
	memcpy(data->text, "every instruction of this text", 31);
}

/* Nested scopes, acquisitions between accesses. */
NOINLINE static int nested(struct node *n)
{
	int a HOLD = acquire(1);
	n->value++;
	{
		int b HOLD = acquire(2);
		data->total += n->value;
		{
			int c HOLD = acquire(3);
			n->next->value += a + b;
			data->copy = *n;
		}
		n->flag = b;
	}
	return n->value + data->total;
}

/* A loop that acquires and releases each time round, and leaves by break, continue and return. */
NOINLINE static int loops(struct node *n)
{
	int total = 0;

	for (; n; n = n->next) {
		int a HOLD = acquire(4);
		if (n->flag)
			continue;
		for (int i = 0; i < 8; i++) {
			int b HOLD = acquire(5);
			total += n->numbers[i];
			if (n->numbers[i] == 70)
				return total + n->value;
			if (total > 100000)
				break;
		}
		data->total = total / data->divisor;
	}
	return total;
}

/* Only sometimes held. */
NOINLINE static void release_if(int **number)
{
	if (*number)
		release(*number);
}

NOINLINE static int conditional(struct node *n)
{
	int slot = 6, *held __attribute__((cleanup(release_if))) = NULL;

	for (; n; n = n->next) {
		if (n->flag && !held) {
			acquire(slot);
			held = &slot;
		} else if (!n->flag && held) {
			int *gone = held;
			held = NULL;
			release(gone);
		}
		data->total += n->value;
	}
	return data->total;
}

static void release_node(struct node **n) { int number = 7; release(&number); (void)n; }

NOINLINE static double mixed(struct node *n, int depth)
{
	struct node *holder __attribute__((cleanup(release_node), unused)) = (acquire(7), n);
	double real = n->real;
	int a HOLD = acquire(8 + depth);

	data->atomic++;
	data->call(depth);
	if (depth < 4)
		real += mixed(n->next, depth + 1) * n->next->real;
	data->text[depth] = data->text[depth + n->value % 8];
	switch (n->value & 3) {
	case 0: n->real = real; break;
	case 1: n->numbers[n->value & 7] /= data->divisor; break;
	default: n->value = data->divisor; break;
	}
	return real + data->total;
}

static intptr_t outermost(void *unused)
{
	int a HOLD = acquire(0);
	struct data *d = data;
	(void)unused;
	sink = nested(&d->nodes[2]);
	sink = loops(&d->nodes[0]);
	sink = conditional(&d->nodes[1]);
	sink = (int)mixed(&d->nodes[0], 0);
	return d->total;
}

static rip_guest *guest;

/* False when the guest got through without a fault. */
static int stop_at(long access, int *leaks, int *twice, int *wrong)
{
	rip_outcome outcome;

	rip_create(NULL, &guest);
	resources_reset();
	prepare();
	let_through = access;
	seen = 0;
	mprotect(data, PAGE, PROT_NONE);
	rip_run(guest, outermost, NULL, &outcome);
	mprotect(data, PAGE, PROT_READ | PROT_WRITE);
	for (int i = 0; i < RESOURCES; i++)
		*leaks += resources.held[i] > 0;
	*twice += resources.twice;
	int stopped = outcome.cause == RIP_CAUSE_FAULT;
	const rip_report *report = rip_get_report(guest);
	*wrong += stopped && (report->abandoned || report->cleanups_failed || report->walk_end != RIP_E_END ||
			      report->frames[0].fate == RIP_FRAME_GAP);
	rip_destroy(guest);
	return stopped;
}

int main(void)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };
	rip_guest *keep;
	int leaks = 0, twice = 0, wrong = 0;
	long access = 0;

	data = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rip_create(NULL, &keep); /* the engine's handlers stay in place below ours */
	action.sa_sigaction = on_access;
	sigaction(SIGSEGV, &action, &engine_segv);
	action.sa_sigaction = on_step;
	sigaction(SIGTRAP, &action, &engine_trap);
	while (stop_at(access, &leaks, &twice, &wrong))
		access++;
	tap_ok(access > 100 && seen == access, "%ld accesses at %d places: a stop at each, then none", access,
	       place_count);
	tap_equal(leaks, 0, "no resource was left by any stop");
	tap_equal(twice, 0, "none was released twice");
	tap_equal(wrong, 0, "every stop was unwound to the host, no frame was in a gap");
	rip_destroy(keep);
	tap_done();
}
