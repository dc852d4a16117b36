# C++: new and delete are libstdc++'s, and mix with its own; with a libstdc++ of the guest's own, the ledger has them.
. tests/tap.bash
cd "$work" || exit 1

cat >guest.cc <<'END'
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>
struct Named { std::string name; ~Named() { name.clear(); } };
__attribute__((noinline)) static int work(int how)
{
	std::map<std::string, std::vector<int>> map;
	for (int i = 0; i < 2000; i++)
		map["key" + std::to_string(i % 100)].push_back(i);
	std::string text;
	for (int i = 0; i < 1000; i++) {
		text += "abc";
		text.insert(0, "x");
	}
	std::ostringstream out;
	out << text.size() << map.size();
	std::unique_ptr<Named> named(new Named{out.str()});
	int *volatile unowned = new int[100];
	char *volatile copy = strdup("from malloc");
	if (how == 2)
		throw 1;
	if (how == 1)
		*(volatile int *)8 = unowned[0] = copy[0];
	return named->name != "4000100";
}
int main(int argc, char **argv)
{
	try {
		return work(argc > 1 ? atoi(argv[1]) : 0);
	} catch (int) {
		return 7;
	}
}
END
count_memory() { perl -MJSON::PP -0777 -ne 'print decode_json($_)->{reclaimed}{count}{memory}' report.json; }

for flag in -shared-libgcc -static-libstdc++; do
	ok "$flag: build" "$ripcord" c++ -O2 $flag guest.cc -o guest
	is "$flag: as a program" "$(status ./guest)" 0
	is "$flag: as a guest" "$(status "$ripcord" run ./guest)" 0
	is "$flag: caught" "$(status "$ripcord" run ./guest 2)" 7
	is "$flag: a fault" "$(status "$ripcord" run --report json --report-file report.json ./guest 1)" 139
	# The copy; with a libstdc++ of its own the array too, and what that keeps for each thread that throws, if it did.
	[ $flag = -shared-libgcc ] && expected=1 || expected=2
	is "$flag: taken back" "$(count_memory)" $expected
	is "$flag: nothing said by malloc" "$(grep -c 'free()\|invalid pointer\|corrupt' "$work/err")" 0
done
finish
