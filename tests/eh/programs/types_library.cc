// Built as a linked library and, with PLUGIN, as a plugin that is opened at run time.
#include "types.h"
#include <cstdio>
#include <stdexcept>

#ifdef PLUGIN
#define THROW plugin_throw
#define CATCH plugin_catch
#else
#define THROW throw_linked
#define CATCH catch_linked
Root::~Root() {}
int Root::id() const { return 1; }
#endif

struct Local { ~Local() { std::puts("  local gone"); } };

extern "C" int THROW(int what)
{
	Local local;
	switch (what) {
	case 0: throw Root();
	case 1: throw Leaf();
	case 2: throw static_cast<Side>(Leaf());
	case 3: throw std::out_of_range("library");
	case 4: throw what;
	}
	return what;
}

extern "C" int CATCH(void (*thrower)())
{
	try {
		thrower();
	} catch (const Side &side) {
		auto *root = dynamic_cast<const Root *>(&side);
		return 100 + side.side + (root ? root->id() : 0);
	} catch (const Root &root) {
		return 200 + root.id();
	}
	return 0;
}
