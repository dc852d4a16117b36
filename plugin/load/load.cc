/* SPDX-License-Identifier: MIT
 * load: what GCC is told to load: opens the plugin that was built for this GCC.
 *
 * A plugin fits one version of GCC only. This part refers to nothing of GCC's, so any version can load it, and
 * where there is no plugin for that one it says so in one line, instead of the linker's many. */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "gcc-plugin.h"

#undef fprintf
#define PUBLIC extern "C" __attribute__((visibility("default")))

/* GCC loads none without it. The MIT licence is compatible. */
PUBLIC int plugin_is_GPL_compatible;
int plugin_is_GPL_compatible;

typedef int init_function(plugin_name_args *, plugin_gcc_version *);

/* .../ripcord_plugin.so -> .../ripcord_plugin-VERSION.so */
static void *open_for(const char *self, const char *version)
{
	char path[PATH_MAX];
	size_t stem = strlen(self) - (strlen(self) > 3 ? 3 : 0);
	int size = snprintf(path, sizeof path, "%.*s-%s.so", (int)stem, self, version);
	return size > 0 && (size_t)size < sizeof path ? dlopen(path, RTLD_NOW) : NULL;
}

/* Code without polls is still a guest's, so this is no error. */
PUBLIC int plugin_init(plugin_name_args *arguments, plugin_gcc_version *version)
{
	void *plugin = open_for(arguments->full_name, version->basever);
	init_function *init = plugin ? (init_function *)dlsym(plugin, "ripcord_plugin_init") : NULL;
	if (!init || init(arguments, version) != 0)
		fprintf(stderr, "ripcord: no plugin for GCC %s (%s): kills do not land in this code\n",
			version->basever, version->datestamp);
	return 0;
}
