# SPDX-License-Identifier: MIT
# ripcord cc: programs mean what GCC has them mean: of library functions that GCC knows, types, constant values, warnings and
# what follows from them are the same; and they link whatever GCC makes of the plugin's own calls.
. tests/tap.bash
cd "$work" || exit 1
needs_plugin

# --- Without a header: an implicit declaration has the builtin's type ---
cat >implicit.c <<'END'
int main(void)
{
	char *p = malloc(100), *q = calloc(1, 2), *end;
	strcpy(p, "text");
	end = strchr(p, 'x');
	q = realloc(q, 1 << 20);
	q = strdup(stpcpy(q, strrchr(p, 't')) - 1);
	return !(end == p + 2 && strstr(p, "xt") == end && *q == 't' && strcmp(p, "text") == 0 && (free(p), free(q), 1));
}
END
# --- Constants, and branches that are never taken ---
cat >constant.c <<'END'
#include <stdlib.h>
#include <string.h>
void nowhere(void);
static char name[sizeof "four" + __builtin_strlen("abc")];
static const unsigned long length = __builtin_strlen("abcd");
enum { SIZE = __builtin_constant_p(__builtin_strlen("abc")) ? sizeof name : 1 };
static int numbers[SIZE == 8 ? 1 : -1];
static inline __attribute__((always_inline)) void checked(const char *s) { if (strcmp(s, "yes") != 0) nowhere(); }
int main(void)
{
	if (strcmp("a", "a") != 0 || strlen("abc") != 3 || strchr("abc", 'z') || memcmp("ab", "ac", 2) > 0)
		nowhere();
#ifdef __OPTIMIZE__
	checked("yes");
	if (!__builtin_constant_p(strlen("abc")))
		nowhere();
	const char *s = "some";
	if (strstr(s, "om") != s + 1 || strspn(s, "os") != 2 || strncmp(s, "sometimes", 4) || strrchr(s, 'm') != s + 2)
		nowhere();
#endif
	return numbers[0] + (int)length - 4;
}
END
# The same in a scope: there GCC would fold what has a landing pad.
cat >scope.c <<'END'
#include <ripcord/cleanup.h>
#include <stdio.h>
#include <string.h>
void nowhere(void);
static void drop(int *held) { *held = 0; }
#define INLINE static inline __attribute__((always_inline))
INLINE int kind_of(const char *s) { return strcmp(s, "two") == 0 ? 2 : strncmp(s, "oneness", 3) == 0 ? 1 : 0; }
INLINE unsigned long long_of(const char *s) { return strlen(s); }
int main(int argc, char **argv)
{
	int held RIP_CLEANUP(drop) = argc;
	char room[32];
	if (kind_of("two") != 2 || kind_of("one") != 1 || long_of("four") != 4)
		nowhere();
	strcpy(room, argv[0]);
	memcpy(room, "text", 5);
	if (argc > 100 || strlen(room) != 4 || sprintf(room, "%s", "abc") != 3 || strcmp(room, "abc"))
		return 1;
	return held - argc;
}
END
# Its own functions of those names are called.
cat >own.c <<'END'
#include <ripcord/cleanup.h>
#include <stddef.h>
static void drop(int *held) { *held = 0; }
size_t strlen(const char *s) { return s[0] == 'x' ? 77 : 1; }
static int strcmp(const char *a, const char *b) { return a[0] + b[0]; }
int main(int argc, char **argv)
{
	int held RIP_CLEANUP(drop) = argc;
	const char *volatile x = "x";
	return !(strlen(x) == 77 && strcmp(x, x) == 240 && argv && held);
}
END
cat >constant.cc <<'END'
#include <cstring>
#include <string>
#include <string_view>
static_assert(strcmp("a", "a") == 0 && strlen("abc") == 3 && memcmp("a", "a", 1) == 0, "");
constexpr std::string_view view = "three";
static_assert(view.size() == 5 && view.find('h') == 1, "");
static int table[std::char_traits<char>::length("ab")];
int main() { return table[0] || std::string("abc") + "d" != "abcd"; }
END
for level in -O0 -O1 -O2 -O3 -Os -Og '-O2 -flto' '-O2 -D_FORTIFY_SOURCE=2' '-O2 -fchecking'; do
	ok "$level: implicit declarations" "$ripcord" cc -w $level implicit.c -o implicit
	is "$level: run" "$(status ./implicit)" 0
	ok "$level: constants" "$ripcord" cc -w $level constant.c -o constant
	is "$level: run" "$(status ./constant)" 0
	ok "$level: functions of its own" "$ripcord" cc -w $level own.c -o own
	is "$level: run" "$(status ./own)" 0
	ok "$level: C++" "$ripcord" c++ -std=c++17 $level constant.cc -o constant
	is "$level: run" "$(status ./constant)" 0
	[[ $level = -O[0g]* ]] && continue
	ok "$level: in a scope" "$ripcord" cc -w $level scope.c -o scope
	is "$level: run" "$(status ./scope)" 0
done

# --- Warnings: the same words for the same lines ---
cat >warned.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
char room[4];
void small(void) { strcpy(room, "too long"); }
void format(int n) { printf("%s\n", n); }
void written(char *p) { sprintf(room, "%s", "too long"); free(p + 1); }
char *nothing(void) { return strcpy(0, "x"); }
int compared(const char *p) { return p == "abc" || strlen(p) < 0; }
void twice(char *p) { free(p); free(p); }
int cleared(char *p) { return memset(p, 0, sizeof p) != 0; }
END
warnings() { # COMMAND...: which line has which warning
	"$@" -O2 -Wall -Wextra -c warned.c -o warned.o 2>&1 | sed -n 's/^warned.c:\([0-9]*\):.*\[\(-W[^]]*\)\]$/\1 \2/p' | sort -u
}
is 'warnings are those of gcc' "$(warnings "$ripcord" cc | tr '\n' ' ')" "$(warnings gcc | tr '\n' ' ')"
is 'a declaration of another type is warned of' "$(echo 'int strlen(int);' | "$ripcord" cc -x c -c - -o /dev/null 2>&1 | grep -c builtin)" 1

# --- Variable-length arrays: what probes for them is a call in its own right, a jump, or a call through a register ---
cat >probes.c <<'END'
#include <stdlib.h>
__attribute__((noinline)) static void nothing(int n) { char room[n * 3]; room[0] = 1; }
__attribute__((noinline)) static int sum(int n)
{
	char *p = __builtin_alloca(n);
	for (int i = 0; i < n; i++)
		p[i] = (char)i;
	return p[n / 2];
}
int main(int argc, char **argv)
{
	char room[argc * 100];
	(void)argv;
	room[argc] = 1;
	nothing(argc);
	return sum(argc * 5000) + room[argc] - (char)2500 - 1;
}
END
for options in '' -mcmodel=large -mcmodel=medium -fno-plt -fPIE -fpie -static -fno-PIC -flto '-mcmodel=large -fno-plt'; do
	for level in -O0 -O1 -O2 -O3 -Os; do
		ok "$level $options: probes" "$ripcord" cc $level $options probes.c -o probes
		is "$level $options: run" "$(status ./probes)" 0
	done
done
finish
