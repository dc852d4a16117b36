# SPDX-License-Identifier: MIT
# Where instructions begin (inject.c) as assembly, from what `objdump -d` says of the first link.
/^ffffffff8[0-9a-f]*:\t/ { address[count++] = substr($1, 9, 8) }
END {
	print "	.section .symbols, \"a\", @progbits"
	print "	.balign 8"
	print "	.globl instruction_count, instruction_table"
	printf "instruction_count: .long %d\n", count
	print "instruction_table:"
	for (i = 0; i < count; i++)
		printf "	.long 0x%s\n", address[i]
	print "	.section .note.GNU-stack, \"\", @progbits"
}
