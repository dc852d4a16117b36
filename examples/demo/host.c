/* SPDX-License-Identifier: MIT
 * The demonstration's host: runs one guest after the other, and says what ended it and what was released. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ripcord/ripcord.h>
#include <ripcord/symbolize.h>

#include "demo.h"

static void print_counts(const char *title, struct demo_counts counts, const char *remark)
{
	char text[80];

	snprintf(text, sizeof text, "%d allocation%s, %d descriptor%s, %d lock%s", counts.allocations,
		 counts.allocations == 1 ? "" : "s", counts.descriptors,
		 counts.descriptors == 1 ? "" : "s", counts.locks, counts.locks == 1 ? "" : "s");
	if (*remark)
		printf("    %-10s%-41s%s\n", title, text, remark);
	else
		printf("    %-10s%s\n", title, text);
}

static const char *signal_name(int number)
{
	return number == SIGSEGV ? "SIGSEGV" : number == SIGFPE ? "SIGFPE" :
	       number == SIGABRT ? "SIGABRT" : strsignal(number);
}

static void print_end(const rip_outcome *outcome, const rip_report *report)
{
	const char *access = report->access == RIP_ACCESS_WRITE ? "write to" :
			     report->access == RIP_ACCESS_EXECUTE ? "jump to" : "access to";

	printf("    ended by  ");
	if (outcome->cause == RIP_CAUSE_RETURNED)
		printf("return, with %ld", (long)outcome->value);
	else if (outcome->cause == RIP_CAUSE_OVERFLOW)
		printf("stack overflow, %lu calls deep", (unsigned long)report->frames_total);
	else if (outcome->cause == RIP_CAUSE_ABORTED)
		printf("abort");
	else
		printf("fault: %s", signal_name(report->signal));
	if (outcome->cause == RIP_CAUSE_FAULT && report->has_address)
		printf(", %s address %#lx", access, (unsigned long)report->address);
	printf("\n");
}

static void print_cleanups(const rip_report *report)
{
	if (report->abandoned)
		printf("    cleanups  could not run: beyond this frame, the stack is damaged\n");
	else if (report->cause != RIP_CAUSE_RETURNED)
		printf("    cleanups  ran in %lu frame%s, %lu failed\n", (unsigned long)report->cleanups_run,
		       report->cleanups_run == 1 ? "" : "s", (unsigned long)report->cleanups_failed);
}

/* rip_report_text hands its text over in pieces; each line gets a margin. */
static int print_piece(void *context, const char *text, size_t size)
{
	int *at_line_start = context;

	for (size_t i = 0; i < size; i++) {
		if (*at_line_start)
			printf("| ");
		putchar(text[i]);
		*at_line_start = text[i] == '\n';
	}
	return 0;
}

/* A symbolizer keeps files open, so this one goes again at once: the descriptors are counted. */
static void print_report(const rip_report *report)
{
	rip_symbolizer *symbolizer = NULL;
	int at_line_start = 1;

	printf("report\n");
	rip_symbolizer_create(&symbolizer); /* without one, the report just has fewer names */
	rip_report_text(report, symbolizer, print_piece, &at_line_start);
	rip_symbolizer_destroy(symbolizer);
}

/* The report in full where there is most to see. */
static int is_worth_a_look(const rip_report *report)
{
	return report->abandoned || (report->signal == SIGSEGV && report->access == RIP_ACCESS_WRITE &&
				     report->cause == RIP_CAUSE_FAULT);
}

static int equal(struct demo_counts a, struct demo_counts b)
{
	return a.allocations == b.allocations && a.descriptors == b.descriptors && a.locks == b.locks;
}

/* Returns 0 if the guest left what it should. */
static int serve(int number, const struct demo_guest *guest)
{
	struct demo_counts before = demo_count(), after;
	rip_outcome outcome;
	rip_guest *handle;

	if (rip_create(NULL, &handle) != RIP_OK)
		return 1;
	if (rip_run(handle, guest->run, NULL, &outcome) != RIP_OK)
		return 1;
	after = demo_count();
	printf("\n %d. A guest %s.\n", number, guest->title);
	print_end(&outcome, rip_get_report(handle));
	print_cleanups(rip_get_report(handle));
	print_counts("held", demo_counts_at_stop, "");
	print_counts("left", after, equal(before, after) ? "as before the guest" : "STILL HELD");
	if (is_worth_a_look(rip_get_report(handle)))
		print_report(rip_get_report(handle));
	rip_destroy(handle);
	if (!equal(before, after))
		demo_take_back(before);
	return equal(before, after) == guest->breaks_stack;
}

static const char introduction[] =
	"Ripcord stops C code that fails, runs its cleanups, and the program goes on.\n"
	"\n"
	"One host process serves seven guests in turn. Each of them holds memory, an\n"
	"open file and a lock, and all but the first come to a bad end. The host counts\n"
	"what is held just before that end, and what is left after it: descriptors in\n"
	"/proc/self/fd, locks by trying them, memory by counting malloc and free.\n\n";

int main(void)
{
	struct demo_counts at_start = demo_count();
	int failed = 0;

	printf("%s", introduction);
	print_counts("at start", at_start, "");
	for (int i = 0; i < demo_guest_count; i++)
		failed += serve(i + 1, &demo_guests[i]);
	printf("\nThe last one's stack no longer tells what it held. Its file and its lock the\n"
	       "ledger took back. Its memory came from this host's own counting malloc: the\n"
	       "host knows what it lent out, takes that back itself, and is well:\n");
	print_counts("at end", demo_count(), "");
	if (failed || !equal(at_start, demo_count()))
		printf("\nNOT all of this went as it should: %d guests did not.\n", failed);
	return failed || !equal(at_start, demo_count());
}
