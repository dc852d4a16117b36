/* SPDX-License-Identifier: MIT
 * main: where GCC meets the plugin. */
#include "ripcord_plugin.h"

#include "plugin-version.h"

namespace ripcord {

static void insert(const char *plugin, opt_pass *pass, const char *reference, pass_positioning_ops where)
{
	register_pass_info info = {pass, reference, 1, where};
	register_callback(plugin, PLUGIN_PASS_MANAGER_SETUP, NULL, &info);
}

static void insert_passes(const char *plugin)
{
	insert(plugin, make_polls_pass(g), "lower", PASS_POS_INSERT_AFTER);
	insert(plugin, make_masks_pass(g), "ehdisp", PASS_POS_INSERT_AFTER);
	insert(plugin, make_pads_pass(g), "resx", PASS_POS_INSERT_BEFORE);
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
	register_callback(arguments->base_name, PLUGIN_INFO, NULL, &info);
	register_callback(arguments->base_name, PLUGIN_ATTRIBUTES, register_attributes, NULL);
	register_callback(arguments->base_name, PLUGIN_PRAGMAS, register_pragmas, NULL);
	register_callback(arguments->base_name, PLUGIN_PRE_GENERICIZE, note_generic_body, NULL);
	register_callback(arguments->base_name, PLUGIN_FINISH_UNIT, write_note, NULL);
	insert_passes(arguments->base_name);
	return 0;
}
