/* SPDX-License-Identifier: MIT
 * report: one JSON object (RFC 8259) for programs. Addresses are strings: they exceed a double's 53 bits. */
#include "report/writer.h"

#include <inttypes.h>

#include "port/port.h"

static void write_signal(struct rip_writer *w, const rip_report *report)
{
	const char *code = rip_report_code_text(report->signal, report->signal_code);

	if (!report->signal)
		return;
	rip_write(w, ",\"signal\":%d,\"signal_name\":", report->signal);
	rip_write_json_string(w, rip_report_signal_name(report->signal));
	rip_write(w, ",\"signal_code\":%d,\"signal_text\":", report->signal_code);
	rip_write_json_string(w, code);
	if (report->has_address)
		rip_write(w, ",\"address\":\"0x%" PRIxPTR "\",\"access\":\"%s\"", report->address,
			  rip_report_access_name(report->access));
}

static void write_exception(struct rip_writer *w, const rip_exception_info *exception)
{
	if (exception->language == RIP_LANGUAGE_NONE)
		return;
	rip_write(w, ",\"exception\":{\"language\":\"%s\",\"class\":\"0x%" PRIx64 "\",\"type\":",
		  rip_language_name(exception->language), exception->exception_class);
	rip_write_json_string(w, exception->type[0] ? exception->type : NULL);
	rip_write(w, ",\"text\":");
	rip_write_json_string(w, exception->text);
	rip_write(w, "}");
}

static void write_code(struct rip_writer *w, const rip_report *report, const rip_symbolizer *symbolizer)
{
	char text[128];

	if (report->frames_total == 0)
		return;
	rip_write(w, ",\"pc\":\"0x%" PRIxPTR "\",\"code\":\"", report->pc);
	for (uint32_t i = 0; i < report->code_size; i++)
		rip_write(w, "%02x", report->code[i]);
	rip_write(w, "\"");
	if (rip_report_instruction(symbolizer, report, text, sizeof text)) {
		rip_write(w, ",\"instruction\":");
		rip_write_json_string(w, text);
	}
}

static void write_frame(struct rip_writer *w, const rip_frame *frame, const rip_symbolizer *symbolizer)
{
	rip_symbol symbol;

	rip_report_symbol(symbolizer, frame->pc, frame->exact, &symbol);
	rip_write(w, "{\"pc\":\"0x%" PRIxPTR "\",\"cfa\":\"0x%" PRIxPTR "\",\"exact\":%s,\"fate\":\"%s\"",
		  frame->pc, frame->cfa, frame->exact ? "true" : "false",
		  rip_report_fate_name(frame->fate));
	rip_write(w, ",\"function\":");
	rip_write_json_string(w, symbol.function);
	rip_write(w, ",\"offset\":%" PRIuPTR ",\"file\":", symbol.offset);
	rip_write_json_string(w, symbol.file);
	rip_write(w, ",\"line\":%d,\"module\":", symbol.line);
	rip_write_json_string(w, symbol.module);
	rip_write(w, "}");
}

static void write_frames(struct rip_writer *w, const rip_report *report, const rip_symbolizer *symbolizer)
{
	rip_write(w, ",\"frames_total\":%" PRIu64 ",\"frames\":[", report->frames_total);
	for (uint32_t i = 0; i < report->frame_count; i++) {
		if (i)
			rip_write(w, ",");
		write_frame(w, &report->frames[i], symbolizer);
	}
	rip_write(w, "]");
}

static void write_foreign(struct rip_writer *w, const rip_report *report, const rip_symbolizer *symbolizer)
{
	rip_frame frame = { .pc = report->foreign_pc };

	rip_write(w, ",\"not_killable\":");
	if (report->foreign_pc)
		write_frame(w, &frame, symbolizer);
	else
		rip_write(w, "null");
}

rip_status rip_report_json(const rip_report *report, const rip_symbolizer *symbolizer,
			   rip_sink sink, void *context)
{
	struct rip_writer writer = { .sink = sink, .context = context };

	if (!report || !sink)
		return RIP_E_ARGUMENT;
	rip_write(&writer, "{\"cause\":\"%s\",\"value\":%" PRIdPTR, rip_cause_name(report->cause),
		  report->value);
	rip_write(&writer, ",\"rung\":");
	rip_write_json_string(&writer, rip_report_rung_name(report->rung));
	write_signal(&writer, report);
	write_exception(&writer, &report->exception);
	write_code(&writer, report, symbolizer);
	write_frames(&writer, report, symbolizer);
	write_foreign(&writer, report, symbolizer);
	rip_write(&writer, ",\"cleanups_run\":%" PRIu64 ",\"cleanups_failed\":%" PRIu64,
		  report->cleanups_run, report->cleanups_failed);
	rip_write(&writer, ",\"abandoned\":%s,\"abandon_reason\":", report->abandoned ? "true" : "false");
	rip_write_json_string(&writer, report->abandoned ? rip_status_name(report->abandon_reason) : NULL);
	rip_write(&writer, ",\"cut\":");
	if (report->cut)
		rip_write(&writer, "{\"function\":\"0x%" PRIxPTR "\",\"released\":%u,\"unknown\":%s}", report->cut,
			  report->cut_released, report->cut_unknown ? "true" : "false");
	else
		rip_write(&writer, "null");
	rip_write_reclaimed_json(&writer, &report->reclaimed);
	rip_write(&writer, "}\n");
	return writer.failed ? rip_port_fail(RIP_E_SYSTEM, "sink", 0) : RIP_OK;
}
