/* SPDX-License-Identifier: MIT
 * ledger: the note by which modules find the library (link.h). namesz, descsz, type, name, desc. */
	.hidden	rip_link_library
	.section .note.ripcord, "a", @note
	.balign	4
	.globl	rip_link_note
	.hidden	rip_link_note
rip_link_note:
	.long	8, 8, 4
	.asciz	"Ripcord"
	.quad	rip_link_library - .

	.section .note.GNU-stack, "", @progbits
