# A host's own files, as the README says to build those that guests call back: by `ripcord c++`, linked by g++.
. tests/tap.bash
needs_plugin
[ -z "$SAN" ] || skip_all "a host of a sanitizer's build needs the sanitizer"
cd "$work" || exit 1

cat >plugin.cc <<'EOF_PLUGIN'
extern "C" long work(void (*call_back)(const char *), int how)
{
	if (how == 0)
		call_back("called");
	else if (how == 1)
		call_back(nullptr); // faults in strlen, which the callback has called
	else
		for (volatile long i = 0;; i = i + 1) {}
	return how;
}
EOF_PLUGIN
cat >callbacks.cc <<'EOF_CALLBACKS'
#include <cstdio>
#include <cstring>
#include <functional>
#include <mutex>
#include <ripcord/kill.h>
#include <ripcord/ripcord.h>

std::mutex mutex;
int released;
struct Held { ~Held() { released++; } };

void call_back(const char *text)
{
	std::lock_guard<std::mutex> lock(mutex);
	Held held;
	std::printf("%zu\n", std::strlen(text));
}

rip_status run(rip_guest *guest, const std::function<long()> &function, rip_outcome *end)
{
	return rip_run(guest, [](void *f) -> intptr_t { Held held; return (*static_cast<const std::function<long()> *>(f))(); },
		       const_cast<std::function<long()> *>(&function), end);
}

extern "C" long work(void (*call_back)(const char *), int how);

int all()
{
	rip_options options = {};
	options.grace = RIP_NEVER;
	rip_guest *guest;
	if (rip_create(&options, &guest) != RIP_OK)
		return 1;
	for (int how = 0; how < 3; how++) {
		rip_outcome end;
		released = 0;
		if (how == 2)
			rip_set_deadline(guest, 5 * 1000 * 1000);
		if (run(guest, [how] { return work(call_back, how); }, &end) != RIP_OK)
			return 1;
		bool is_free = mutex.try_lock();
		if (is_free)
			mutex.unlock();
		std::printf("%s, %s, %d released, rung %d\n", rip_cause_name(end.cause), is_free ? "free" : "held", released,
			    rip_get_report(guest)->rung);
		rip_reset(guest);
	}
	return rip_destroy(guest);
}
EOF_CALLBACKS
cat >main.cc <<'EOF_MAIN'
int all();
int main() { return all(); }
EOF_MAIN
"$ripcord" c++ -O2 -shared plugin.cc -o libplugin.so || exit 1
build_host() {
	"$ripcord" c++ -O2 -I"$build/include" -c callbacks.cc -o callbacks.o &&
		g++ -O2 -I"$build/include" main.cc callbacks.o -o host -L. -lplugin -L"$build/lib" -lripcord \
			"-Wl,-rpath,$work" "-Wl,-rpath,$build/lib"
}
printf '6\nreturned, free, 2 released, rung 0\nfault, free, 2 released, rung 0\ndeadline, free, 1 released, rung 1\n' >wanted
ok "a host whose callbacks are built by ripcord c++" build_host
LD_LIBRARY_PATH=. limit 60 ./host >got 2>&1
ok "a fault in one releases what it holds, a kill passes through the host's frames" diff wanted got
finish
