/* SPDX-License-Identifier: MIT
 * A keeper and a tree. The worker fills an array that is not there; its keeper maps each page when the worker comes to
 * it. Then the worker reads through NULL, twice: the keeper has it started again, each time a little later. */
#include <stdio.h>
#include <sys/mman.h>
#include <ripcord/cleanup.h>
#include <ripcord/keeper.h>

enum { PAGE = 4096, PAGES = 3, MILLISECOND = 1000 * 1000 /* ns */ };

static char *array;          /* PAGES pages, none of which can be accessed at first */
static int failures = 2;     /* that are still to come */

/* --- The worker: a guest, built by `ripcord cc`; what it holds is released whatever ends it --- */

static void give_back(void *what) { printf("worker: released %s\n", (char *)what); }

static intptr_t work(void *nowhere)
{
	char what[] = "what it held";
	RIP_DEFER(give_back, what);

	printf("worker: begins\n");
	for (int i = 0; i < PAGES; i++)
		array[i * PAGE] = 'x';
	if (failures-- > 0)
		return *(volatile int *)nowhere;
	printf("worker: done\n");
	return 0;
}

/* --- The keeper: called on its own thread, with the worker suspended at the instruction --- */

static rip_decision decide(rip_stopped *stopped, void *context)
{
	rip_report report;
	rip_stopped_info info;

	(void)context;
	if (rip_stopped_get_report(stopped, &report) != RIP_OK || rip_stopped_get_info(stopped, &info) != RIP_OK)
		return RIP_DECIDE_PASS; /* it took too long: somebody else has decided */
	long page = ((long)report.address - (long)array) / PAGE;
	if (report.address >= (uintptr_t)array && page < PAGES) {
		printf("keeper: %s needs page %ld\n", info.name, page);
		return mprotect(array + page * PAGE, PAGE, PROT_READ | PROT_WRITE) ? RIP_DECIDE_UNWIND : RIP_DECIDE_RESUME;
	}
	printf("keeper: %s has failed\n", info.name);
	return RIP_DECIDE_RESTART;
}

/* --- The host: one supervisor, one worker --- */

static rip_status run(rip_keeper *keeper, rip_tree *tree)
{
	rip_child_options worker = { .name = "worker", .function = work, .keeper = keeper };
	rip_child *child;
	rip_child_info info;

	worker.rules.restart = RIP_TRANSIENT;
	worker.rules.backoff = 10 * MILLISECOND; /* then 20, 40 ... */
	rip_status status = rip_tree_add(tree, NULL, &worker, &child);
	if (status == RIP_OK)
		status = rip_tree_start(tree, NULL);
	if (status == RIP_OK)
		status = rip_tree_wait(tree);
	if (status == RIP_OK)
		status = rip_tree_look(tree, child, &info);
	if (status == RIP_OK)
		printf("host: it was started %d times; at last it %s\n", (int)info.starts, rip_cause_name(info.outcome.cause));
	return status;
}

int main(void)
{
	rip_keeper_options keeper_options = { .decide = decide };
	rip_tree_options tree_options = { .rules = { .intensity = 5, .period = 1000ull * MILLISECOND } };
	rip_keeper *keeper;
	rip_tree *tree;

	array = mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (array == MAP_FAILED || rip_keeper_create(&keeper_options, &keeper) != RIP_OK)
		return 1;
	rip_status status = rip_tree_create(&tree_options, &tree);
	if (status == RIP_OK) {
		status = run(keeper, tree);
		rip_tree_destroy(tree);
	}
	rip_keeper_destroy(keeper);
	return status == RIP_OK ? 0 : 1;
}
