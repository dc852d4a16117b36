/* SPDX-License-Identifier: MIT
 * Yield and resume: values and types both ways; from any depth, with live registers and control words; in segments,
 * hostcalls and nested guests; what becomes of a guest that is never resumed. */
#include <pthread.h>
#include <stdint.h>

#include "run_guest.h"

static const rip_type number = { "number", NULL }, text = { "text", NULL };
static rip_guest *guest;
static rip_outcome outcome;

static bool trust;

static void make(const rip_options *options)
{
	rip_options trusting = { .trust_control_words = true };

	resources_reset();
	if (trust)
		options = &trusting;
	if (rip_create(options, &guest) != RIP_OK)
		tap_ok(0, "create");
}

static int yielded(intptr_t value, const rip_type *type)
{
	return outcome.cause == RIP_CAUSE_YIELDED && outcome.value == value && outcome.type == type &&
	       rip_get_state(guest) == RIP_STATE_YIELDED && rip_self() == NULL;
}

/* --- Values and types -------------------------------------------------------------------------- */

static intptr_t factorials(void *count)
{
	intptr_t product = 1;

	for (intptr_t i = 1; i <= (intptr_t)count; i++) {
		product *= i;
		if (rip_yield(&number, product, NULL, NULL) != RIP_OK)
			return -1;
	}
	return 0;
}

static void yields_factorials(void)
{
	intptr_t expected = 1;
	int wrong = 0;

	make(NULL);
	rip_run(guest, factorials, (void *)20, &outcome);
	for (intptr_t i = 1; i <= 20; i++) {
		expected *= i;
		wrong += !yielded(expected, &number);
		wrong += rip_resume(guest, NULL, 0, &outcome) != RIP_OK;
	}
	tap_equal(wrong, 0, "factorials to 20!, each yielded");
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 0 && !outcome.type, "then it returned");
	tap_equal(rip_resume(guest, NULL, 0, &outcome), RIP_E_STATE, "it cannot be resumed now");
	rip_destroy(guest);
}

/* What the host sends is multiplied in. */
static intptr_t multiplies(void *start)
{
	intptr_t product = (intptr_t)start, factor;

	for (;;) {
		if (rip_yield(&number, product, &number, &factor) != RIP_OK)
			return -1;
		if (factor == 0)
			return product;
		product *= factor;
	}
}

static void two_ways(void)
{
	intptr_t expected = 1;
	int wrong = 0;

	make(NULL);
	rip_run(guest, multiplies, (void *)1, &outcome);
	for (intptr_t i = 1; i <= 15; i++) {
		wrong += !yielded(expected, &number);
		rip_resume(guest, &number, i, &outcome);
		expected *= i;
	}
	tap_equal(wrong, 0, "values go both ways");
	rip_outcome kept = outcome;
	outcome.cause = 99;
	tap_equal(rip_resume(guest, &text, 5, &outcome), RIP_E_TYPE, "a value of another type");
	tap_equal(rip_resume(guest, NULL, 5, &outcome), RIP_E_TYPE, "a value of no type, where one is wanted");
	tap_ok((int)outcome.cause == 99 && rip_get_state(guest) == RIP_STATE_YIELDED, "it still waits");
	outcome = kept;
	tap_equal(rip_resume(guest, &number, 0, &outcome), RIP_OK, "the right type");
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && outcome.value == expected, "goes on with it");
	rip_destroy(guest);
}

static intptr_t takes_any(void *unused)
{
	intptr_t got = 0;

	(void)unused;
	rip_yield(NULL, 1, NULL, &got);
	return got;
}

static void any_type(void)
{
	make(NULL);
	rip_run(guest, takes_any, NULL, &outcome);
	tap_ok(yielded(1, NULL), "a value without a type");
	tap_equal(rip_resume(guest, &text, 77, &outcome), RIP_OK, "nothing is wanted: any type will do");
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 77, "and arrives");
	rip_destroy(guest);
}

/* --- Order ------------------------------------------------------------------------------------- */

static rip_status inner_resume;

static intptr_t resumes_itself(void *unused)
{
	rip_outcome o;

	(void)unused;
	inner_resume = rip_resume(rip_self(), NULL, 0, &o);
	return 0;
}

static void out_of_order(void)
{
	make(NULL);
	tap_equal(rip_resume(guest, NULL, 0, &outcome), RIP_E_STATE, "resume before the first run");
	tap_equal(rip_resume(NULL, NULL, 0, &outcome), RIP_E_ARGUMENT, "resume nothing");
	tap_equal(rip_resume(guest, NULL, 0, NULL), RIP_E_ARGUMENT, "resume without a place for the outcome");
	rip_run(guest, resumes_itself, NULL, &outcome);
	tap_equal(inner_resume, RIP_E_STATE, "resume while it runs");
	tap_equal(rip_yield(NULL, 0, NULL, NULL), RIP_E_STATE, "yield off a guest");
	rip_reset(guest);
	rip_run(guest, takes_any, NULL, &outcome);
	tap_equal(rip_run(guest, takes_any, NULL, &outcome), RIP_E_STATE, "run while it waits");
	rip_destroy(guest);
}

/* --- Deep frames, registers, control words ----------------------------------------------------- */

struct words { unsigned mxcsr; unsigned short fcw; };

static struct words words_now(void)
{
	struct words w;

	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(w.mxcsr), "=m"(w.fcw));
	w.mxcsr &= 0xffc0;
	return w;
}

static void set_words(struct words w)
{
	unsigned mxcsr = 0x1f80 | w.mxcsr;

	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" :: "m"(mxcsr), "m"(w.fcw));
}

static int same_words(struct words a, struct words b) { return a.mxcsr == b.mxcsr && a.fcw == b.fcw; }

static volatile long seed = 3;
static int locals_wrong, words_wrong;

/* Twelve values that live across the yield: six fit in registers, the others in slots. */
NOINLINE static long deep(int depth)
{
	int held HOLD = acquire(depth);
	long a = seed + depth, b = a * 3, c = b ^ 0x55, d = c + a, e = d * 7, f = e - b;
	long g = f ^ d, h = g + 11, i = h * 5, j = i - e, k = j ^ h, l = k + a;
	long sum = a + b + c + d + e + f + g + h + i + j + k + l;
	intptr_t got = 0;

	if (depth < 20)
		sink += (int)deep(depth + 1);
	else if (rip_yield(&number, depth, NULL, &got) != RIP_OK)
		locals_wrong += 1000;
	long again = seed + depth;
	locals_wrong += a != again || b != again * 3 || c != (b ^ 0x55) || d != c + a || e != d * 7 || f != e - b;
	locals_wrong += g != (f ^ d) || h != g + 11 || i != h * 5 || j != i - e || k != (j ^ h) || l != k + a;
	locals_wrong += sum != a + b + c + d + e + f + g + h + i + j + k + l;
	return sum + got;
}

static const struct words odd = { 0x1f80 ^ 0x6000, 0x37f ^ 0xc00 };

enum { HOSTS_WORDS, OWN_WORDS, TRUSTED };

static intptr_t goes_deep(void *with_words)
{
	struct words before = words_now();

	for (int round = 0; round < 5; round++) {
		if ((intptr_t)with_words == OWN_WORDS)
			set_words(odd);
		deep(0);
		words_wrong += !same_words(words_now(), (intptr_t)with_words == OWN_WORDS ? odd : before);
	}
	return 5;
}

static void deep_yields(intptr_t with_words)
{
	static const char *const names[] = { "with the host's control words", "with control words of its own", "trusted" };
	rip_options options = { .trust_control_words = with_words == TRUSTED };
	struct words host = { 0x1f80 | 0x2000, 0x37f ^ 0x400 }, plain = words_now();
	int rounds = 0, host_wrong = 0;

	make(&options);
	locals_wrong = words_wrong = 0;
	set_words(host);
	rip_run(guest, goes_deep, (void *)with_words, &outcome);
	while (outcome.cause == RIP_CAUSE_YIELDED) {
		rounds++;
		host_wrong += !same_words(words_now(), host);
		rip_resume(guest, NULL, 0, &outcome);
	}
	host_wrong += !same_words(words_now(), host);
	set_words(plain);
	const char *name = names[with_words];
	tap_ok(rounds == 5 && outcome.value == 5, "%s: five yields from 20 frames deep", name);
	tap_equal(locals_wrong, 0, "twelve live locals of each frame");
	tap_ok(words_wrong == 0 && host_wrong == 0, "%s: both sides keep theirs (%d, %d)", name, words_wrong, host_wrong);
	expect_clean(name, 105);
	rip_destroy(guest);
}

/* The host's own registers: a mark in each, over run and resume. */
static intptr_t spoils_and_yields(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++) {
		__asm__ volatile("movq $-1, %%rbx\n\tmovq $-1, %%r12\n\tmovq $-1, %%r13\n\tmovq $-1, %%r14\n\tmovq $-1, %%r15"
				 ::: "rbx", "r12", "r13", "r14", "r15", "memory");
		rip_yield(NULL, i, NULL, NULL);
	}
	return 0;
}

__attribute__((used)) static void resume_it(void)
{
	if (rip_get_state(guest) == RIP_STATE_NEW)
		rip_run(guest, spoils_and_yields, NULL, &outcome);
	else
		rip_resume(guest, NULL, 0, &outcome);
}

/* How many of the six callee-saved registers resume_it changed. */
__asm__(".text\n.type resume_marked, @function\nresume_marked:\n.cfi_startproc\n"
	".irp r,rbx,rbp,r12,r13,r14,r15\n	pushq %\\r\n	.cfi_adjust_cfa_offset 8\n	.cfi_rel_offset %\\r, 0\n.endr\n"
	"	subq $8, %rsp\n	.cfi_adjust_cfa_offset 8\n"
	"	movq $0x1111, %rbx\n	movq $0x2222, %rbp\n	movq $0x3333, %r12\n	movq $0x4444, %r13\n"
	"	movq $0x5555, %r14\n	movq $0x6666, %r15\n	call resume_it\n	xorl %eax, %eax\n"
	"	cmpq $0x1111, %rbx\n	je 1f\n	incl %eax\n1:	cmpq $0x2222, %rbp\n	je 2f\n	incl %eax\n"
	"2:	cmpq $0x3333, %r12\n	je 3f\n	incl %eax\n3:	cmpq $0x4444, %r13\n	je 4f\n	incl %eax\n"
	"4:	cmpq $0x5555, %r14\n	je 5f\n	incl %eax\n5:	cmpq $0x6666, %r15\n	je 6f\n	incl %eax\n"
	"6:	addq $8, %rsp\n	.cfi_adjust_cfa_offset -8\n"
	".irp r,r15,r14,r13,r12,rbp,rbx\n	popq %\\r\n	.cfi_adjust_cfa_offset -8\n	.cfi_restore %\\r\n.endr\n	ret\n"
	".cfi_endproc\n.size resume_marked, . - resume_marked\n");
int resume_marked(void);

static void host_registers(void)
{
	int changed = 0;

	make(NULL);
	for (int i = 0; i < 4; i++)
		changed += resume_marked();
	tap_ok(changed == 0 && outcome.cause == RIP_CAUSE_RETURNED, "the host's callee-saved registers (%d)", changed);
	rip_destroy(guest);
}

/* --- Where a guest yields from ----------------------------------------------------------------- */

static intptr_t yields_once(void *value)
{
	int a HOLD = acquire(10);
	intptr_t got = 0;

	if (rip_yield(NULL, (intptr_t)value, NULL, &got) != RIP_OK)
		return -1;
	return got + 1;
}

static intptr_t in_segment(void *unused)
{
	int a HOLD = acquire(11);
	rip_outcome o = { .cause = 99 };

	(void)unused;
	rip_call(yields_once, (void *)100, &o);
	sink = a;
	return o.cause == RIP_CAUSE_RETURNED ? o.value : -1;
}

static intptr_t yields_then_faults(void *unused)
{
	int a HOLD = acquire(12);

	(void)unused;
	rip_yield(NULL, 100, NULL, NULL);
	*null_pointer = a;
	return 0;
}

static intptr_t segment_catches(void *unused)
{
	int a HOLD = acquire(11);
	rip_outcome o = { .cause = 99 };

	(void)unused;
	rip_call(yields_then_faults, NULL, &o);
	sink = a;
	return o.cause == RIP_CAUSE_FAULT ? 43 : -1;
}

static intptr_t in_hostcall(void *unused)
{
	int a HOLD = acquire(11);

	(void)unused;
	intptr_t got = rip_hostcall(yields_once, (void *)100);
	sink = a;
	return got;
}

static intptr_t segment_in_hostcall(void *unused)
{
	(void)unused;
	return rip_hostcall(in_segment, NULL);
}

/* An inner guest yields to this one, which yields to the host in between. */
static intptr_t with_inner_guest(void *unused)
{
	rip_guest *inner;
	rip_outcome o = { .cause = 99 };
	intptr_t got = 0;

	(void)unused;
	rip_create(NULL, &inner);
	rip_run(inner, yields_once, (void *)99, &o);
	if (o.cause != RIP_CAUSE_YIELDED || o.value != 99)
		return -1;
	rip_yield(NULL, o.value + 1, NULL, &got);
	rip_resume(inner, NULL, got, &o);
	rip_destroy(inner);
	return o.cause == RIP_CAUSE_RETURNED ? o.value : -1;
}

static void places(void)
{
	static const struct { const char *name; rip_function function; int resources; } all[] = {
		{ "in a segment", in_segment, 2 }, { "in a segment that catches a fault later", segment_catches, 2 },
		{ "in a hostcall", in_hostcall, 2 }, { "in a segment in a hostcall", segment_in_hostcall, 2 },
		{ "between runs of an inner guest", with_inner_guest, 1 },
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		make(NULL);
		rip_run(guest, all[i].function, NULL, &outcome);
		int good = yielded(100, NULL);
		rip_resume(guest, NULL, 42, &outcome);
		tap_ok(good && outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 43, "a yield %s", all[i].name);
		expect_clean(all[i].name, all[i].resources);
		rip_destroy(guest);
	}
}

/* --- Never resumed ----------------------------------------------------------------------------- */

static rip_status yield_in_cleanup = 99;

static void release_yielding(int *n)
{
	yield_in_cleanup = rip_yield(NULL, 0, NULL, NULL);
	release(n);
}

static intptr_t holds_and_waits(void *unused)
{
	__attribute__((cleanup(release_yielding))) int a = acquire(30);
	(void)unused;
	intptr_t got = rip_hostcall(in_segment, NULL) + a;
	sink = (int)got;
	return got;
}

enum { BY_DESTROY, BY_RESET, BY_UNWIND, ON_ANOTHER_THREAD, WAYS };

static void *unwinds(void *unused)
{
	(void)unused;
	rip_unwind(guest, &outcome);
	return NULL;
}

static void let_go(int way)
{
	static const char *const names[] = { "destroyed", "reset", "unwound", "unwound by another thread" };
	pthread_t thread;

	make(NULL);
	yield_in_cleanup = 99;
	rip_run(guest, holds_and_waits, NULL, &outcome);
	tap_ok(yielded(100, NULL) && resources.released == 0 && !rip_get_report(guest), "a guest waits, to be %s", names[way]);
	if (way == BY_RESET)
		tap_equal(rip_reset(guest), RIP_OK, "reset");
	else if (way == BY_UNWIND)
		tap_equal(rip_unwind(guest, &outcome), RIP_OK, "unwind");
	else if (way == ON_ANOTHER_THREAD && pthread_create(&thread, NULL, unwinds, NULL) == 0)
		pthread_join(thread, NULL);
	if (way == BY_UNWIND || way == ON_ANOTHER_THREAD) {
		const rip_report *report = rip_get_report(guest);
		tap_ok(outcome.cause == RIP_CAUSE_KILLED && rip_get_state(guest) == RIP_STATE_ENDED && report &&
		       report->cause == RIP_CAUSE_KILLED && report->cleanups_run == 3 && !report->abandoned &&
		       report->walk_end == RIP_E_END, "its outcome and report say so");
	}
	if (way == BY_RESET) {
		tap_ok(rip_get_state(guest) == RIP_STATE_NEW && !rip_get_report(guest), "it is as good as new");
		expect_clean(names[way], 3);
		resources_reset();
		rip_run(guest, factorials, (void *)1, &outcome);
		tap_ok(yielded(1, &number), "and runs again");
	}
	tap_equal(rip_destroy(guest), RIP_OK, "destroy");
	expect_clean(names[way], way == BY_RESET ? 0 : 3);
	tap_equal(yield_in_cleanup, RIP_E_STATE, "a cleanup cannot yield");
}

/* --- Other ends after a yield ------------------------------------------------------------------ */

static intptr_t yields_and_ends(void *how)
{
	int a HOLD = acquire(1);

	rip_yield(NULL, 0, NULL, NULL);
	if ((intptr_t)how == RIP_CAUSE_FAULT)
		*null_pointer = a;
	else if ((intptr_t)how == RIP_CAUSE_EXITED)
		rip_exit(5);
	else if ((intptr_t)how == RIP_CAUSE_ABORTED)
		rip_abort();
	return 6;
}

static void *resumes(void *unused)
{
	(void)unused;
	rip_resume(guest, NULL, 0, &outcome);
	return NULL;
}

static void ends_on_another_thread(rip_cause cause)
{
	pthread_t thread;

	make(NULL);
	rip_run(guest, yields_and_ends, (void *)(intptr_t)cause, &outcome);
	pthread_create(&thread, NULL, resumes, NULL);
	pthread_join(thread, NULL);
	tap_ok(outcome.cause == cause && rip_self() == NULL, "resumed on another thread: %s", rip_cause_name(cause));
	expect_clean("resumed on another thread", 1);
	rip_destroy(guest);
}

int main(void)
{
	yields_factorials();
	two_ways();
	any_type();
	out_of_order();
	deep_yields(HOSTS_WORDS);
	deep_yields(OWN_WORDS);
	deep_yields(TRUSTED);
	for (int i = 0; i < 2; i++) {
		trust = i;
		host_registers();
		places();
		for (int way = 0; way < WAYS; way++)
			let_go(way);
	}
	trust = false;
	ends_on_another_thread(RIP_CAUSE_RETURNED);
	ends_on_another_thread(RIP_CAUSE_FAULT);
	ends_on_another_thread(RIP_CAUSE_EXITED);
	ends_on_another_thread(RIP_CAUSE_ABORTED);
	tap_done();
}
