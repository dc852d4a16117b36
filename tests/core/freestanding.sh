# SPDX-License-Identifier: MIT
# freestanding: libripcord-core.a needs nothing but itself, and touches no state that is not its own.
build=${BUILD:-build}
all=$(mktemp)
trap 'rm -f "$all"' EXIT
number=0

check() { # WHAT OFFENDERS
	number=$((number + 1))
	[ -z "$2" ] || printf 'not '
	echo "ok $number - $1"
	[ -z "$2" ] || printf '%s\n' "$2" | head -20 | sed 's/^/# /'
}

ld -r --whole-archive "$build/lib/libripcord-core.a" -o "$all" || { echo 'Bail out! it cannot be linked'; exit 1; }
code=$(objdump -d --no-show-raw-insn "$all")
check 'there is code to look at' "$(printf '%s' "$code" | grep -q rip_stop_unwind || echo none)"

# Four names of a C++ runtime, which a kernel may have: weak.
undefined=$(nm -u "$all" | grep -v -E '^ *(w (_ZSt9terminatev|__cxa_(throw|begin_catch|end_catch))|U _GLOBAL_OFFSET_TABLE_)$')
check 'no symbol is undefined: no libc, no compiler support' "$undefined"

# A static link of it, at an address in the upper half, has nothing left to ask for.
check 'it links as part of a kernel' \
	"$(ld -static -nostdlib -e rip_core_run -Ttext=0xffffffff80000000 -o /dev/null "$all" 2>&1)"
check 'nothing is visible that is not its own' "$(nm --defined-only -g "$all" | awk '{ print $3 }' |
	grep -v -E '^(rip_|_Unwind_Resume$|__gcc_personality_v0$|__x86_return_thunk$|DW\.ref\.)')"
check 'and all of it is hidden, but for status codes and supervision' "$(readelf -sW "$all" |
	awk '$5 == "GLOBAL" && $7 != "UND" && $6 != "HIDDEN" && $8 !~ /^rip_(status|supervise)_/')"
check 'no x87, MMX or SSE register, nor their control words' "$(printf '%s' "$code" |
	grep -E '%[xyz]mm|%mm[0-7]|%st|mxcsr|	(f[a-z]|emms|fx|xsave|xrstor)')"
check 'no thread-local variable' "$(printf '%s' "$code" | grep -E '%[fg]s:'; nm "$all" | grep -i ' [bd] .*tls')"
check 'no system call' "$(printf '%s' "$code" | grep -E '	(syscall|sysenter|int )')"
check 'no red zone' "$(printf '%s' "$code" | grep -E -- '-0x[0-9a-f]+\(%rsp\)' | grep -v '	lea')"
check 'POPF keeps what is not ours' "$(printf '%s' "$code" | grep -B1 '	popf' | grep -E '	push')"
echo "1..$number"
