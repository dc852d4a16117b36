// Throws and catches over module borders; argv[1] is the plugin.
#include "types.h"
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <exception>

static void exercise(const char *name, throw_function thrower, catch_function catcher)
{
	for (int what = 0; what < 6; what++) {
		try {
			std::printf("%s %d: returned %d\n", name, what, thrower(what));
		} catch (const Leaf &leaf) {
			std::printf("%s %d: Leaf %d\n", name, what, leaf.id());
		} catch (const Root &root) {
			std::printf("%s %d: Root %d\n", name, what, root.id());
		} catch (const Side &side) {
			std::printf("%s %d: Side %d\n", name, what, dynamic_cast<const Root *>(&side) != nullptr);
		} catch (const std::exception &e) {
			std::printf("%s %d: %s\n", name, what, e.what());
		} catch (int n) {
			std::printf("%s %d: int %d\n", name, what, n);
		}
	}
	std::printf("%s catches %d %d %d\n", name, catcher([] { throw Leaf(); }), catcher([] { throw Root(); }),
		    catcher([] { throw Side(); }));
}

static void with_plugin(const char *path)
{
	void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!plugin)
		std::exit((std::puts(dlerror()), 1));
	exercise("plugin", reinterpret_cast<throw_function>(dlsym(plugin, "plugin_throw")),
		 reinterpret_cast<catch_function>(dlsym(plugin, "plugin_catch")));
	dlclose(plugin);
}

int main(int, char **argv)
{
	exercise("linked", throw_linked, catch_linked);
	for (int i = 0; i < 3; i++)
		with_plugin(argv[1]);
}
