/* SPDX-License-Identifier: MIT
 * report: lines of text for people. */
#include "report/causes.h"
#include "report/writer.h"

#include <inttypes.h>
#include <string.h>

#include "port/port.h"

/* In one line, whatever the guest has written. */
static void write_line(struct rip_writer *w, const char *text)
{
	for (; *text; text++)
		rip_write(w, "%c", (unsigned char)*text < ' ' ? ' ' : *text);
}

static void write_exception(struct rip_writer *w, const rip_exception_info *exception)
{
	if (exception->language == RIP_LANGUAGE_OTHER)
		rip_write(w, "ripcord: guest stopped by an uncaught exception of class 0x%016" PRIx64,
			  exception->exception_class);
	else
		rip_write(w, "ripcord: guest stopped by an uncaught %s",
			  exception->language == RIP_LANGUAGE_RUST ? "Rust panic" : "C++ exception");
	if (exception->type[0]) {
		rip_write(w, ": ");
		write_line(w, exception->type);
	}
	if (exception->text[0]) {
		rip_write(w, ": ");
		write_line(w, exception->text);
	}
	rip_write(w, "\n");
}

static void write_rung(struct rip_writer *w, rip_rung rung)
{
	if (rung == RIP_FIRM)
		rip_write(w, ", firmly: not at a place that was made for it");
	else if (rung == RIP_ABANDON)
		rip_write(w, ", abandoned");
}

static void write_cause(struct rip_writer *w, const rip_report *report)
{
	const char *code = rip_report_code_text(report->signal, report->signal_code);

	if (report->cause == RIP_CAUSE_EXCEPTION) {
		write_exception(w, &report->exception);
		return;
	}
	rip_write(w, "ripcord: guest %s", rip_cause_text(report->cause));
	write_rung(w, report->rung);
	if (rip_cause_is(report->cause, RIP_CAUSE_IS_END))
		rip_write(w, ", value %" PRIdPTR, report->value);
	if (report->signal)
		rip_write(w, ": %s", rip_report_signal_name(report->signal));
	if (report->signal && code)
		rip_write(w, ", %s", code);
	rip_write(w, "\n");
	if (report->has_address)
		rip_write(w, "  %s of address 0x%" PRIxPTR "\n",
			  report->access == RIP_ACCESS_UNKNOWN ? "access" :
			  rip_report_access_name(report->access), report->address);
}

static void write_instruction(struct rip_writer *w, const rip_report *report,
			      const rip_symbolizer *symbolizer)
{
	char text[128];

	if (!report->signal && !report->rung)
		return;
	rip_write(w, "  at pc 0x%" PRIxPTR, report->pc);
	if (rip_report_instruction(symbolizer, report, text, sizeof text)) {
		rip_write(w, ": %s", text);
	} else if (report->code_size) {
		rip_write(w, ":");
		for (uint32_t i = 0; i < report->code_size; i++)
			rip_write(w, " %02x", report->code[i]);
	} else {
		rip_write(w, ", where no code can be read");
	}
	rip_write(w, "\n");
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static void write_frame(struct rip_writer *w, const rip_frame *frame, uint64_t number,
			const rip_symbolizer *symbolizer)
{
	rip_symbol symbol;

	rip_report_symbol(symbolizer, frame->pc, frame->exact, &symbol);
	rip_write(w, "  #%-2" PRIu64 " ", number);
	if (symbol.function) {
		rip_write_string(w, symbol.function);
		rip_write(w, "+0x%" PRIxPTR, symbol.offset);
	} else {
		rip_write(w, "0x%" PRIxPTR, frame->pc);
	}
	if (symbol.file) {
		rip_write(w, " at ");
		rip_write_string(w, base_name(symbol.file));
		rip_write(w, ":%d", symbol.line);
	} else if (symbol.module) {
		rip_write(w, " in ");
		rip_write_string(w, base_name(symbol.module));
	}
	if (frame->fate != RIP_FRAME_PLAIN)
		rip_write(w, "  [%s]", rip_report_fate_name(frame->fate));
	rip_write(w, "\n");
}

static void write_frames(struct rip_writer *w, const rip_report *report, const rip_symbolizer *symbolizer)
{
	uint64_t left_out = report->frames_total - report->frame_count;

	for (uint32_t i = 0; i < report->frame_count; i++) {
		if (left_out && i == RIP_REPORT_INNER)
			rip_write(w, "  ... %" PRIu64 " frames left out\n", left_out);
		write_frame(w, &report->frames[i], i < RIP_REPORT_INNER ? i : i + left_out, symbolizer);
	}
	if (report->abandoned && report->walk_end != RIP_E_END)
		rip_write(w, "  the frames beyond are abandoned: %s\n",
			  rip_status_text(report->walk_end));
}

/* What a kill that had to be firm waited for. */
static void write_foreign(struct rip_writer *w, const rip_report *report, const rip_symbolizer *symbolizer)
{
	rip_symbol symbol;

	if (!report->foreign_pc)
		return;
	rip_report_symbol(symbolizer, report->foreign_pc, false, &symbol);
	rip_write(w, "  not killable: ");
	if (symbol.function)
		rip_write_string(w, symbol.function);
	else
		rip_write(w, "0x%" PRIxPTR, report->foreign_pc);
	if (symbol.module) {
		rip_write(w, " in ");
		rip_write_string(w, base_name(symbol.module));
	}
	rip_write(w, report->foreign_module ? ", of which nothing is: it was built without Ripcord's plugin\n" :
					      ", which was waited for\n");
}

static void write_cleanups(struct rip_writer *w, const rip_report *report)
{
	if (report->frames_total == 0)
		return;
	rip_write(w, "  cleanups run: %" PRIu64 ", failed: %" PRIu64 "\n", report->cleanups_run,
		  report->cleanups_failed);
	if (report->abandoned)
		rip_write(w, "  not all could be unwound: %s\n", rip_status_text(report->abandon_reason));
}

/* A function's own name is in what exports it. */
static void write_cut(struct rip_writer *w, const rip_report *report, const rip_symbolizer *symbolizer)
{
	rip_symbol symbol;

	if (report->cut == 0)
		return;
	rip_report_symbol(symbolizer, report->cut, true, &symbol);
	rip_write(w, "  stopped for good inside of libc, in ");
	if (symbol.function && symbol.offset == 0)
		rip_write_string(w, symbol.function);
	else
		rip_write(w, "0x%" PRIxPTR, report->cut);
	rip_write(w, ": %u of its locks given back%s\n", report->cut_released,
		  report->cut_unknown ? ", another one may be held for ever" : "");
}

rip_status rip_report_text(const rip_report *report, const rip_symbolizer *symbolizer,
			   rip_sink sink, void *context)
{
	struct rip_writer writer = { .sink = sink, .context = context };

	if (!report || !sink)
		return RIP_E_ARGUMENT;
	write_cause(&writer, report);
	write_instruction(&writer, report, symbolizer);
	write_frames(&writer, report, symbolizer);
	write_foreign(&writer, report, symbolizer);
	write_cleanups(&writer, report);
	write_cut(&writer, report, symbolizer);
	rip_write_reclaimed(&writer, &report->reclaimed);
	return writer.failed ? rip_port_fail(RIP_E_SYSTEM, "sink", 0) : RIP_OK;
}
