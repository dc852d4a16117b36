# SPDX-License-Identifier: MIT
# files: a file is named by what it holds, so no two layers of src/ have files of one name. Twins are named alike on
# purpose: each implements the same header for another system (port/linux, port/bare), or for code without other
# languages (core/stop, stop).
. tests/tap.bash

# Lines "NAME FOLDER FOLDER..." of the names that stand in more than one folder. A folder of twins counts once.
twice() { # FILES...
	printf '%s\n' "$@" | sed -E 's|^src/||; s|^port/[a-z]+/|port/|; s|^core/stop/|stop/|; s|^arch/[a-z0-9_]+/|arch/|' | sort -u |
		awk '{ at = match($0, /[^\/]*$/); name = substr($0, at); where[name] = where[name] " " substr($0, 1, at - 2); count[name]++ }
			END { for (name in count) if (count[name] > 1) print name where[name] }' | sort
}
files=$(find src -name '*.[chS]')
ok "files are found" test "$(echo "$files" | wc -l)" -gt 100
is "no two layers have files of one name" "$(twice $files)" ''
is "a second one would be seen" "$(twice $files src/lsda/cfi.h)" 'cfi.h cfi lsda'
finish
