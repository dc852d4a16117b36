/* SPDX-License-Identifier: MIT
 * judge: what a guest has left behind when it has ended. Nothing here allocates: the guest may have been stopped inside
 * of libc. */
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "ripcord/step.h"
#include "sweep.h"

enum { DESCRIPTORS = 1024 };

static bool open_before[DESCRIPTORS];
static struct { unsigned count; rip_kind kind; uintptr_t value; } twice; /* the first of them */

/* One system call for all. */
static void list_open(bool *open_ret)
{
	static struct pollfd all[DESCRIPTORS];

	for (int fd = 0; fd < DESCRIPTORS; fd++)
		all[fd] = (struct pollfd){ .fd = fd };
	if (poll(all, DESCRIPTORS, 0) < 0)
		memset(open_ret, 0, DESCRIPTORS * sizeof *open_ret);
	else
		for (int fd = 0; fd < DESCRIPTORS; fd++)
			open_ret[fd] = !(all[fd].revents & POLLNVAL);
}

static void on_release(rip_kind kind, uintptr_t value)
{
	if (!sweep_is_stopped())
		return;
	if (twice.count++ == 0) {
		twice.kind = kind;
		twice.value = value;
	}
}

void sweep_judge_begin(void)
{
	list_open(open_before);
	rip_set_release_hook(on_release);
}

/* --- Findings --- */

struct judging {
	const struct sweep_plan *plan;
	struct sweep_finding finding;
	void (*found)(const struct sweep_plan *plan, const struct sweep_finding *finding);
	unsigned count;
	uint64_t calls; /* before the stop */
};

__attribute__((format(printf, 3, 4))) static void find(struct judging *j, enum sweep_what what, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(j->finding.text, sizeof j->finding.text, format, list);
	va_end(list);
	j->finding.what = (uint8_t)what;
	j->count++;
	j->found(j->plan, &j->finding);
}

static void judge_descriptors(struct judging *j)
{
	static bool now[DESCRIPTORS];
	char text[sizeof j->finding.text] = "";
	size_t at = 0;

	list_open(now);
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		if (now[fd] && !open_before[fd] && at < sizeof text)
			at += (size_t)snprintf(text + at, sizeof text - at, "%sdescriptor %d", at ? ", " : "", fd);
	if (at)
		find(j, FOUND_LEAK, "%s", text);
}

static void judge_notes(struct judging *j)
{
	char text[sizeof j->finding.text];
	bool in_flight;

	if (sweep_notes_held(j->calls, text, sizeof text, &in_flight)) {
		j->finding.in_flight = in_flight;
		find(j, FOUND_LEAK, "%s", text);
		j->finding.in_flight = false;
	}
	if (sweep_notes_twice(text, sizeof text))
		find(j, FOUND_TWICE, "%s", text);
}

static void judge_ledger(struct judging *j, const rip_reclaimed *reclaimed)
{
	char text[sizeof j->finding.text] = "";
	size_t at = 0;

	for (int kind = 1; kind < RIP_KINDS; kind++)
		if (reclaimed->count[kind] && at < sizeof text)
			at += (size_t)snprintf(text + at, sizeof text - at, "%s%llu %s", at ? ", " : "",
					       (unsigned long long)reclaimed->count[kind],
					       rip_kind_name((rip_kind)kind));
	if (reclaimed->failed)
		find(j, FOUND_LEAK, "%llu of: %s", (unsigned long long)reclaimed->failed, text);
	if (at && !j->plan->options->ledger)
		find(j, FOUND_RECLAIMED, "%s", text);
}

static void judge_report(struct judging *j, const rip_report *report)
{
	if (!report)
		return;
	judge_ledger(j, &report->reclaimed);
	if (report->cleanups_failed)
		find(j, FOUND_FAILED, "cleanups stopped: %llu", (unsigned long long)report->cleanups_failed);
	if (report->abandoned)
		find(j, FOUND_ABANDONED, "%s", rip_status_text(report->abandon_reason));
}

/* Below the guest's entry lie the library's own frames. */
static void note_frames(struct judging *j, const rip_report *report)
{
	enum { ROOM = sizeof j->finding.frame / sizeof j->finding.frame[0] };

	for (uint32_t i = 0; report && i < report->frame_count && j->finding.frames < ROOM; i++)
		j->finding.frame[j->finding.frames++] = report->frames[i].pc - !report->frames[i].exact;
	while (j->finding.frames && (j->finding.frame[j->finding.frames - 1] < j->plan->module->low ||
				     j->finding.frame[j->finding.frames - 1] >= j->plan->module->high))
		j->finding.frames--;
}

unsigned sweep_judge(const struct sweep_plan *plan, const rip_report *report, struct sweep_finding finding, uint64_t calls,
		     void (*found)(const struct sweep_plan *plan, const struct sweep_finding *finding))
{
	struct judging j = { plan, finding, found, 0, calls };

	note_frames(&j, report);
	judge_report(&j, report);
	judge_descriptors(&j);
	judge_notes(&j);
	if (twice.count)
		find(&j, FOUND_TWICE, "%s %s", rip_kind_name(twice.kind),
		     twice.kind == RIP_KIND_DESCRIPTOR ? "that is not open" : twice.kind == RIP_KIND_MUTEX ?
		     "that nobody holds" : "that is not allocated");
	if (plan->module->check && !plan->module->check())
		find(&j, FOUND_CHECK, "ripcord_check()");
	return j.count;
}
