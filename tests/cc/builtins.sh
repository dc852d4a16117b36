# SPDX-License-Identifier: MIT
# ripcord cc: what GCC makes of library functions that it knows (other functions, a few instructions in line, a call of its own
# accord) has the landing pad of the scope that it stands in. The audit finds no window where something can fault.
. tests/tap.bash
cd "$work" || exit 1
needs_plugin

cat >guest.c <<'END'
#include <stdio.h>
#include <string.h>
int take(void);
void drop(int *), use(void *);
struct large { char bytes[1000]; };
#define SCOPE(statement) { int held __attribute__((cleanup(drop))) = take(); use(a); statement; }
#define V(name, statement) void name(char *a, char *b, int n) SCOPE(statement)
#define I(name, statement) int name(char *a, char *b, int n) SCOPE(return statement)
V(copy, memcpy(a, b, n))
V(set, memset(a, 0, n))
V(move, memmove(a, b, n))
V(assign, *(struct large *)a = *(struct large *)b)
V(format, sprintf(a, "%s", b))
V(format_all, snprintf(a, 10, "%s", b))
V(copy_string, strcpy(a, b))
V(copy_to_end, use(stpcpy(a, b)))
V(append, strcat(a, b))
V(print, printf("%s\n", b))
V(print_line, puts(b))
V(print_to, fprintf(stderr, "x"))
I(equal, memcmp(a, b, n) == 0)
I(equal_1, memcmp(a, b, 1) == 0)
I(equal_2, memcmp(a, b, 2) == 0)
I(equal_4, !memcmp(a, b, 4))
I(equal_5, memcmp(a, "hello", 5) == 0)
I(equal_8, memcmp(a, b, 8) != 0)
I(less, memcmp(a, b, 8) < 0)
I(equal_strings, strcmp(a, b) == 0)
I(equal_to, strcmp(a, "hello") == 0)
I(equal_begin, strncmp(a, b, n) == 0)
I(begins, strncmp(a, "hello", 3) == 0)
I(length, strlen(a) > 5)
I(find, strchr(a, 'x') != 0)
I(find_end, strchr(a, 0) != a)
I(find_string, strstr(a, b) == a)
I(span, strspn(a, b) == strlen(a))
I(twice, (strcpy(a, b), strcat(a, b), use(a), strlen(a)))
END
for level in -O0 -O1 -O2 -O3 -Os '-O2 -D_FORTIFY_SOURCE=2' '-O2 -flto' '-O3 -march=x86-64-v3'; do
	ok "C, $level: is built" "$ripcord" cc -w -D_GNU_SOURCE $level -g -shared -Wl,-z,undefs guest.c -o guest.so
	is "C, $level: no window" "$("$ripcord" audit --all guest.so | grep '^  window  .* at .*guest\.c')" ''
	ok "C++, $level: is built" "$ripcord" c++ -x c++ -w -D_GNU_SOURCE $level -g -shared -Wl,-z,undefs guest.c -o guest.so
done
finish
