# SPDX-License-Identifier: MIT
# pure: the byte-to-row layers call nothing but themselves, and keep no mutable data.
build=${BUILD:-build}
if [ -n "$SAN" ]; then
	echo "1..0 # SKIP the sanitizers' calls are everywhere"
	exit 77
fi
objects=$(ls "$build"/obj/base/*.o "$build"/obj/cfi/*.o "$build"/obj/lsda/*.o)

check() { # NUMBER WHAT OFFENDERS
	[ -z "$3" ] || printf 'not '
	echo "ok $1 - $2"
	[ -z "$3" ] || echo "$3" | sed 's/^/# /'
}

# A compiler may call these four for a struct copy, in freestanding code too.
foreign=$(nm -u $objects | awk '$1 == "U" { print $2 }' | sort -u |
	grep -v -E '^(rip_.*|memcpy|memset|memmove|memcmp|_GLOBAL_OFFSET_TABLE_)$')
check 1 "no call leaves the layers" "$foreign"

# .data.rel.ro holds constants with pointers: read-only once they are relocated.
mutable=$(objdump -h $objects | awk '$2 ~ /^\.(data|bss|tdata|tbss)/ && $2 !~ /^\.data\.rel\.ro/ &&
	$3 !~ /^0+$/')
check 2 "no mutable data" "$mutable"

check 3 "fill and copy do not become calls" "$(nm -u "$build/obj/base/string.c.o" | grep -w U)"
echo 1..3
