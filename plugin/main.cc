/* SPDX-License-Identifier: MIT
 * main: where GCC meets the plugin. */
#include "ripcord_plugin.h"

#include "diagnostic-core.h"
#include "options.h"
#include "opts.h"
#include "plugin-version.h"

namespace ripcord {

plugin_options options;

/* -fplugin-arg-ripcord_plugin-KEY. False: no such one. */
static bool read_option(const plugin_argument *argument)
{
	if (strcmp(argument->key, "keep-polls") == 0)
		return options.keep_polls = true;
	if (strcmp(argument->key, "warn") == 0)
		return options.warn = true;
	if (strcmp(argument->key, "all-passes") == 0)
		return options.all_passes = true;
	return false;
}

static void read_options(const plugin_name_args *arguments)
{
	for (int i = 0; i < arguments->argc; i++)
		if (!read_option(&arguments->argv[i]))
			warning(0, "the plugin of ripcord has no option %qs", arguments->argv[i].key);
}

/* What GCC would do otherwise because every access may throw: take floating-point operations to trap, which
 * they do only where a program asks for it; and inline less, because functions look larger. And what loses
 * landing pads: -fipa-sra has callers load what a callee would, and the loads have none; with a profile,
 * -fvpt divides by the value that is seen most, and for others without a pad. The user's word counts. */
static void set_options()
{
	SET_OPTION_IF_UNSET(&global_options, &global_options_set, flag_trapping_math, 0);
	SET_OPTION_IF_UNSET(&global_options, &global_options_set, flag_ipa_sra, 0);
	SET_OPTION_IF_UNSET(&global_options, &global_options_set, flag_value_profile_transformations, 0);
	if (optimize < 2 || optimize_size)
		return;
	if (param_early_inlining_insns < 8)
		SET_OPTION_IF_UNSET(&global_options, &global_options_set, param_early_inlining_insns, 8);
	if (param_max_inline_insns_auto < 16)
		SET_OPTION_IF_UNSET(&global_options, &global_options_set, param_max_inline_insns_auto, 16);
}

void insert(const char *plugin, opt_pass *pass, const char *reference, pass_positioning_ops where, int instance)
{
	register_pass_info info = {pass, reference, instance, where};
	register_callback(plugin, PLUGIN_PASS_MANAGER_SETUP, NULL, &info);
}

/* Hidden while something is inlined: each time before GCC's inliner, and until behind it. */
static void insert_builtins(const char *plugin)
{
	insert(plugin, make_hide_pass(g), "nothrow", PASS_POS_INSERT_BEFORE);
	insert(plugin, make_show_pass(g), "einline", PASS_POS_INSERT_AFTER);
	insert(plugin, make_hide_pass(g), "release_ssa", PASS_POS_INSERT_BEFORE);
	insert(plugin, make_show_pass(g), "ehdisp", PASS_POS_INSERT_AFTER);
	insert(plugin, make_show_pass(g), "ccp", PASS_POS_INSERT_AFTER, 0);
	insert(plugin, make_show_pass(g), "forwprop", PASS_POS_INSERT_AFTER, 0);
	insert(plugin, make_show_all_pass(g), "resx", PASS_POS_INSERT_BEFORE);
}

/* Of the pads' loads: until registers are allocated, and from there on. */
static void insert_checks(const char *plugin)
{
	insert(plugin, make_early_pass(g), "dfinit", PASS_POS_INSERT_AFTER);
	insert(plugin, make_stale_pass(g), "ira", PASS_POS_INSERT_BEFORE);
	insert(plugin, make_early_pass(g), "reload", PASS_POS_INSERT_AFTER);
	insert(plugin, make_stale_pass(g), "alignments", PASS_POS_INSERT_AFTER);
}

static void insert_passes(const char *plugin)
{
	insert(plugin, make_polls_pass(g), "lower", PASS_POS_INSERT_AFTER);
	insert(plugin, make_resumes_pass(g), "eh", PASS_POS_INSERT_AFTER);
	insert(plugin, make_masks_pass(g), "ehdisp", PASS_POS_INSERT_AFTER);
	if (!options.keep_polls) {
		insert(plugin, make_short_pass(g), "ripcord_masks", PASS_POS_INSERT_AFTER);
		insert(plugin, make_strips_pass(g), "loopinit", PASS_POS_INSERT_AFTER);
	}
	insert_builtins(plugin);
	insert_besides(plugin, g);
	insert_pieces(plugin, g);
	if (!options.all_passes)
		insert_withouts(plugin, g);
	insert(plugin, make_pads_pass(g), "resx", PASS_POS_INSERT_BEFORE);
	insert_checks(plugin);
	insert(plugin, make_marks_pass(g), "eh_ranges", PASS_POS_INSERT_AFTER);
}

} // namespace ripcord

/* Called by what GCC loaded (load/load.cc). Returns 0, or 1 if this is another GCC. */
extern "C" __attribute__((visibility("default"))) int ripcord_plugin_init(plugin_name_args *arguments,
									  plugin_gcc_version *version)
{
	using namespace ripcord;
	static plugin_info info = {"1", "Makes code killable (see ripcord-cc(1))."};

	if (!plugin_default_version_check(version, &gcc_version))
		return 1;
	read_options(arguments);
	set_options();
	register_callback(arguments->base_name, PLUGIN_INFO, NULL, &info);
	register_callback(arguments->base_name, PLUGIN_ATTRIBUTES, register_attributes, NULL);
	register_callback(arguments->base_name, PLUGIN_PRAGMAS, register_pragmas, NULL);
	register_callback(arguments->base_name, PLUGIN_START_UNIT, expect_stops_in_builtins, NULL);
	register_callback(arguments->base_name, PLUGIN_PRE_GENERICIZE, note_generic_body, NULL);
	register_callback(arguments->base_name, PLUGIN_FINISH_UNIT, write_end, NULL);
	register_callback(arguments->base_name, PLUGIN_REGISTER_GGC_ROOTS, NULL, const_cast<ggc_root_tab *>(builtin_roots));
	register_callback(arguments->base_name, PLUGIN_REGISTER_GGC_ROOTS, NULL, const_cast<ggc_root_tab *>(stale_roots));
	insert_passes(arguments->base_name);
	return 0;
}
