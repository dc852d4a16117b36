/* SPDX-License-Identifier: MIT
 * report: collects the frames of a stopped guest, and their fates. */
#include "report/report.h"

/* Entries from RIP_REPORT_INNER on are a ring of the outermost frames seen so far. */
static void add_frame(rip_report *report, const struct rip_cursor *cursor)
{
	uint64_t index = report->frames_total++;

	if (index >= RIP_REPORT_INNER)
		index = RIP_REPORT_INNER + (index - RIP_REPORT_INNER) % RIP_REPORT_OUTER;
	rip_frame *frame = &report->frames[index];
	frame->pc = cursor->reg[RIP_REG_PC];
	frame->cfa = cursor->cfa;
	frame->exact = cursor->exact;
	frame->fate = RIP_FRAME_PLAIN; /* unless more is told of it */
}

static bool has_ring(const rip_report *report)
{
	return report->frames_total > RIP_REPORT_INNER + RIP_REPORT_OUTER;
}

/* The ring's entry at `from` comes to `to`, and so on, around it. */
static void turn_ring(rip_report *report, uint64_t from, uint64_t to)
{
	rip_frame ring[RIP_REPORT_OUTER], *outer = report->frames + RIP_REPORT_INNER;

	rip_copy(ring, outer, sizeof ring);
	for (unsigned i = 0; i < RIP_REPORT_OUTER; i++)
		outer[(to + i) % RIP_REPORT_OUTER] = ring[(from + i) % RIP_REPORT_OUTER];
}

static void straighten_ring(rip_report *report)
{
	if (has_ring(report))
		turn_ring(report, report->frames_total - RIP_REPORT_INNER, 0);
	report->frame_count = has_ring(report) ? RIP_REPORT_INNER + RIP_REPORT_OUTER :
			      (uint32_t)report->frames_total;
}

/* Undoes that: more frames come. */
static void bend_ring(rip_report *report)
{
	if (has_ring(report))
		turn_ring(report, 0, report->frames_total - RIP_REPORT_INNER);
}

/* Loads and records the cursor's frame, then moves on. A frame that cannot be loaded is recorded too. */
static rip_status pass_frame(rip_report *report, struct rip_cursor *cursor)
{
	if (cursor->reg[RIP_REG_PC] == (uintptr_t)rip_arch_backstop)
		return RIP_E_END;
	cursor->cfa = 0;
	rip_status status = rip_cursor_load(cursor);
	add_frame(report, cursor);
	if (status == RIP_OK)
		status = rip_cursor_step(cursor);
	else if (status == RIP_E_NOFDE)
		status = RIP_E_RETURN;
	return status == RIP_E_END ? RIP_E_RETURN : status;
}

void rip_report_walk(rip_report *report, const struct rip_context *context, bool exact,
		     const struct rip_memory *memory)
{
	struct rip_cursor cursor;
	rip_status status = RIP_OK;
	bool was_lost = report->frames_total > 0 && report->walk_end != RIP_E_END;

	bend_ring(report);
	rip_cursor_init(&cursor, context, exact, memory);
	while (status == RIP_OK)
		status = pass_frame(report, &cursor);
	if (!was_lost)
		report->walk_end = status;
	straighten_ring(report);
}

/* All at once: each read of memory that has to be probed is a system call. */
void rip_report_code(rip_report *report, struct rip_memory *memory)
{
	uint32_t size = RIP_REPORT_CODE, page = (uint32_t)rip_port_page_size();
	uint32_t on_page = page - (uint32_t)(report->pc & (page - 1));

	if (!rip_memory_read(memory, report->pc, report->code, size)) {
		size = on_page < RIP_REPORT_CODE ? on_page : 0;
		if (!rip_memory_read(memory, report->pc, report->code, size))
			size = 0;
	}
	report->code_size = size;
}

static bool is_final(rip_frame_fate fate)
{
	return fate == RIP_FRAME_CLEANED || fate == RIP_FRAME_FAILED;
}

static bool is_at(const rip_report *report, uint32_t place, uint64_t cfa)
{
	return place < report->frame_count && report->frames[place].cfa == cfa;
}

/* The entry of the frame with this CFA: the last one found, the next one, or any. Entries lie in the order of
 * the stack; those of a bad pc at its top have the CFA of none. */
static bool find_frame(const rip_report *report, uint32_t *place, uint64_t cfa)
{
	if (cfa == 0)
		return false;
	if (is_at(report, *place, cfa))
		return true;
	if (is_at(report, *place + 1, cfa)) {
		++*place;
		return true;
	}
	for (uint32_t i = 0; i < report->frame_count; i++)
		if (is_at(report, i, cfa)) {
			*place = i;
			return true;
		}
	return false;
}

void rip_report_fate(rip_report *report, uint32_t *place, uint64_t cfa, rip_frame_fate fate)
{
	if (!find_frame(report, place, cfa))
		return;
	rip_frame *frame = &report->frames[*place];
	if (!is_final(frame->fate) || fate == RIP_FRAME_FAILED)
		frame->fate = fate;
}

void rip_report_abandoned(rip_report *report, uint64_t sp, uint64_t top)
{
	for (uint32_t i = 0; i < report->frame_count; i++) {
		rip_frame *frame = &report->frames[i];
		if (((frame->cfa > sp && frame->cfa <= top) || frame->cfa == 0) &&
		    frame->fate == RIP_FRAME_PLAIN)
			frame->fate = RIP_FRAME_ABANDONED;
	}
}
