/* SPDX-License-Identifier: MIT
 * report: text in pieces to a caller's sink; the first failure sticks. */
#ifndef RIPCORD_REPORT_WRITER_H
#define RIPCORD_REPORT_WRITER_H

#include "ripcord/ripcord.h"

struct rip_writer {
	rip_sink sink;
	void *context;
	bool failed;
};

/* Formats at most 1,023 bytes (file names are written by rip_write_string). */
__attribute__((format(printf, 2, 3)))
void rip_write(struct rip_writer *writer, const char *format, ...);

/* A string of any length, as it stands. */
void rip_write_string(struct rip_writer *writer, const char *string);

/* A JSON string with its quotes (RFC 8259 section 7); bytes that are not UTF-8 become U+FFFD. NULL is
 * written as null. */
void rip_write_json_string(struct rip_writer *writer, const char *string);

/* What the ledger took back: lines of text, or a member of an object. */
void rip_write_reclaimed(struct rip_writer *w, const rip_reclaimed *reclaimed);
void rip_write_reclaimed_json(struct rip_writer *w, const rip_reclaimed *reclaimed);

/* The symbol of pc, from the symbolizer or, without one, from the dynamic symbols. All fields are NULL or 0
 * if nothing is known. `exact` as in rip_frame: a return address is looked up inside its call. */
void rip_report_symbol(const rip_symbolizer *symbolizer, uintptr_t pc, bool exact, rip_symbol *symbol_ret);

/* The text of the instruction that was stopped. False if there is none. */
bool rip_report_instruction(const rip_symbolizer *symbolizer, const rip_report *report, char *text,
			    size_t text_size);

/* "SIGSEGV" and so on; NULL for signals that stop no guest. */
const char *rip_report_signal_name(int signal);
/* What its si_code means, such as "address not mapped"; NULL if unknown. */
const char *rip_report_code_text(int signal, int code);
const char *rip_report_access_name(rip_access access);
const char *rip_report_fate_name(rip_frame_fate fate);
/* NULL for RIP_RUNG_NONE. */
const char *rip_report_rung_name(rip_rung rung);

#endif
