# SPDX-License-Identifier: MIT
# The table of functions (console.c) as assembly, from what `nm -n` says of the first link.
$2 ~ /^[tT]$/ && $1 ~ /^ffffffff8/ { address[count] = $1; name[count++] = $3 }
END {
	print "	.section .symbols, \"a\", @progbits"
	print "	.balign 8"
	print "	.globl symbol_table"
	print "symbol_table:"
	printf "	.quad %d\n", count
	for (i = 0; i < count; i++)
		printf "	.quad 0x%s, name_%d\n", address[i], i
	for (i = 0; i < count; i++)
		printf "name_%d: .asciz \"%s\"\n", i, name[i]
	print "	.section .note.GNU-stack, \"\", @progbits"
}
