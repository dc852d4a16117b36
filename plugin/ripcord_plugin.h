/* SPDX-License-Identifier: MIT
 * plugin: makes GCC's code killable: polls where a kill may land, and marks where none may.
 *
 * The passes. `polls` runs on each function as it was written, before GCC knows its landing pads; `masks`
 * after inlining; `strips` before the loops are optimized; `marks` on the finished instructions. The first
 * two speak through the code itself (a masked region's pad begins with an empty asm), so that what they
 * say survives inlining, cloning and the way through LTO's files. Invariants: no pass changes what the
 * program does when it is not killed; nothing here is global but what the comment beside it says. */
#ifndef RIPCORD_PLUGIN_H
#define RIPCORD_PLUGIN_H

#include "gcc-plugin.h"

#include "tree.h"
#include "gimple.h"
#include "gimple-iterator.h"
#include "rtl.h"
#include "cfg.h"
#include "basic-block.h"
#include "function.h"
#include "tree-pass.h"
#include "context.h"
#include "except.h"
#include "tree-eh.h"

namespace ripcord {

extern struct plugin_options {
	bool keep_polls; /* keep-polls: none is elided, no loop is changed */
	bool warn;       /* warn: -Wripcord */
	bool all_passes; /* all-passes: GCC's later ones lose landing pads, for tests of the check */
} options;

/* How a function takes part. The first that fits. */
enum role {
	ROLE_LEFT_OUT, /* ripcord_no_poll, pragma: not killable code at all, foreign to the runtime */
	ROLE_MASKED,   /* a cleanup function, ripcord_masked: its body is a masked region */
	ROLE_NOEXCEPT, /* C++ noexcept: the front end's must-not-throw region masks it */
	ROLE_QUIET,    /* C++ in a system header: unwinds as it is, but gets no polls of its own */
	ROLE_PLAIN,
};
role role_of(tree function);

/* Whether its name is C++'s: not extern "C". */
bool is_cxx(tree function);

/* attributes.cc */
void register_attributes(void *, void *);
void register_pragmas(void *, void *);
void note_generic_body(void *function, void *);
void write_end(void *, void *); /* marks.cc */

/* calls.cc */
void note_callees(tree function);
bool polls_at_entry(tree function);

/* code.cc: what the passes recognise each other by. */
gimple *build_poll(location_t where);
bool is_poll(const gimple *statement);
bool is_poll_load(const_tree load);
gtry *build_masked_region(gimple_seq body, bool whole);
bool is_mask(const gimple *statement); /* what such a region's pad begins with */
/* Whether the region, or one around it, is masked: marked so, or must-not-throw. Until pass "resx". */
bool is_masked(eh_region region);

/* probes.cc. takes_room: a variable-length array, or alloca. */
bool takes_room(const gcall *call);
gimple *build_probe(const gcall *call);
void write_probe_function();

/* builtins.cc */
bool is_expanded(tree function); /* in place, whatever happens: there is no function of that name to call */
void expect_stops_in_builtins(void *, void *);
extern const struct ggc_root_tab *builtin_roots;

/* main.cc. Instance 0: each of GCC's passes of that name. */
void insert(const char *plugin, opt_pass *pass, const char *reference, pass_positioning_ops where, int instance = 1);

/* aggregates.cc: callees beside which the caller itself can be stopped, and results in memory. */
void note_aggregates(gcall *call);
void note_aggregates_of(tree function);
void insert_besides(const char *plugin, gcc::context *context);

/* pieces.cc: of the statement there. */
void take_apart(gimple_stmt_iterator *i);
edge pad_edge(basic_block block); /* NULL without */
void end_block(gimple *statement, edge pad);
void insert_pieces(const char *plugin, gcc::context *context);

/* without.cc */
void insert_withouts(const char *plugin, gcc::context *context);

/* warnings.cc; in_scope: the statement stands in a scope with a cleanup. */
void warn_of(const gimple *statement, bool in_scope);

/* check.cc: -Wripcord looks at the result. */
void note_place(const gimple *statement, bool in_scope);
void check_pads();
extern const struct ggc_root_tab *stale_roots;

opt_pass *make_polls_pass(gcc::context *);
opt_pass *make_resumes_pass(gcc::context *);
opt_pass *make_masks_pass(gcc::context *);
opt_pass *make_short_pass(gcc::context *);
opt_pass *make_strips_pass(gcc::context *);
opt_pass *make_pads_pass(gcc::context *);
opt_pass *make_marks_pass(gcc::context *);
opt_pass *make_hide_pass(gcc::context *);
opt_pass *make_show_pass(gcc::context *);
opt_pass *make_show_all_pass(gcc::context *);
opt_pass *make_early_pass(gcc::context *); /* stale.cc */
opt_pass *make_stale_pass(gcc::context *);

/* masks.cc: of the function that is being compiled. */
bool landing_pad_is_masked(int number);

} // namespace ripcord

#endif
