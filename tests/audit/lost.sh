# ripcord audit: calls whose entry of the call-site table has lost its landing pad, in the midst of what a pad covers.
. tests/tap.bash
cd "$work" || exit 1

# A function with CODE, between whose labels 11 and 12, 13 and 14, 15 and 16 stand entries of the call-site table: with the
# landing pad, with MIDDLE ("3b - f": the pad, "0": none), with LAST.
function_of() { # CODE MIDDLE LAST PAD
	cat "$top/tests/audit/macros.s" - >code.s <<E1
	.globl f
	.type f, @function
f:	.cfi_startproc
	.cfi_personality 0x9b, personality
	.cfi_lsda 0x1b, lsda
	save rbx
	save rbp
	$1
	.cfi_remember_state
	restore rbp
	restore rbx
	ret
	.cfi_restore_state
3:	mov %rax, %rbp
	${4:-call release}
	mov %rbp, %rdi
	call _Unwind_Resume
	.cfi_endproc
	.size f, . - f
	.section .gcc_except_table, "a"
lsda:	.byte 0xff, 0xff, 1, 15
	.uleb128 11b - f, 12b - 11b, 3b - f, 0
	.uleb128 13b - f, 14b - 13b, $2, 0
	.uleb128 15b - f, 16b - 15b, $3, 0
	.data
	.hidden personality
personality: .quad 0
E1
	sed -i "s/1, 15$/1, 9f - 8f/; s/^lsda:.*/&\n8:/; s/^\t.data/9:\n&/" code.s
	gcc -c code.s -o code.o
}
lost() { "$ripcord" audit --all code.o | sed -n 's/^  lost  *f+\(0x[0-9a-f]*\) [^:]*: /\1 /p'; }
place() { objdump -dr code.o | grep -B1 "PLT32.*$1-" | sed -n '1s/^ *\([0-9a-f]*\):.*/0x\1/p'; }
is_lost() { # NAME MIDDLE LAST CODE [PAD]
	function_of "$4" "$2" "$3" "$5"
	is "lost: $1" "$(lost | sed 's/ .*//')" "$(place copy)"
}
is_not() { # NAME MIDDLE LAST CODE [PAD]
	function_of "$4" "$2" "$3" "$5"
	is "not lost: $1" "$(lost)" ''
}
poll='11: movzbl %fs:0, %eax; 12: mov %rbx, %rdi;'
covered='11: mov (%rdi), %eax; 12: nop;'
released='15: call release; 16: nop'

is_lost 'a call between a poll with a landing pad and the cleanup' 0 0 "$poll 13: call copy; 14: nop; $released"
is "it is named" "$(lost | sed 's/^[^ ]* //; s/+0x.*/+X/')" \
	'a call of copy has lost its landing pad: what stands around it has the landing pad at +X'
is "a verdict of its own" "$("$ripcord" audit code.o | awk 'NF == 10 && $1 == "lost" { print $8 }')" 1
is "--fail-on lost" "$(status "$ripcord" audit --fail-on lost code.o)" 1
is "in JSON" "$("$ripcord" audit --json code.o | perl -MJSON::PP -0777 -ne 'my $f = decode_json($_)->{files}[0];
	print "$f->{calls}{lost} $f->{findings}[0]{kind}"')" '1 lost'
is "in HTML" "$("$ripcord" audit --html code.o | grep -c '<tr class="f-lost"><td class="gone">lost')" 1
is_lost '... and a load with one' 0 0 "$covered 13: call copy; 14: nop; $released"
is_lost 'between two calls with the landing pad' 0 '3b - f' "11: call use; mov (%rax), %eax; 12: nop; 13: call copy; 14: nop; 15: call use; 16: nop"
is_lost 'where ways part in front of it, all in the scope' 0 0 "$poll test %eax, %eax; je 17f; 13: call copy; 14: nop; 17: $released"

marked='nopl 0x52(%rax)'
is_lost 'the cleanup is marked, and calls something else than the landing pad' 0 0 "$poll 13: call copy; 14: nop; 15: call drop; $marked; 16: nop"
is_lost '... or the same' 0 0 "$poll 13: call copy; 14: nop; 15: call free; $marked; 16: nop" \
	"call free; $marked"

is_not 'it has the landing pad' '3b - f' 0 "$poll 13: call copy; 14: nop; $released"
is_not 'it is the cleanup' 0 0 "$poll 13: call release; 14: nop; 15: call other; 16: nop"
is_not '... on one of the ways of the landing pad' 0 0 "$poll 13: call copy; 14: nop; $released" \
	'call release; test %rbx, %rbx; je 5f; call copy; 5: nop'
is_not '... through a pointer' 0 0 "$poll 13: call *(%rbx); 14: nop; $released" 'call release; call *(%rax)'
is_not 'the cleanup has been' 0 0 "$poll 15: call release; 16: nop; 13: call copy; 14: nop"
is_not 'the scope has not begun' 0 0 "13: call copy; 14: nop; $poll $released"
is_not 'what was acquired has been handed over, and is released by hand' 0 0 "$poll 13: call copy; 14: nop; 15: call free; 16: nop" \
	"call free; $marked"
is_not '... as the landing pad does it' 0 0 "$poll 13: call copy; 14: nop; 15: call _ZdlPv; 16: nop" 'call _ZdlPv'
is_not '... which handles an exception' 0 0 "$poll 13: call copy; 14: nop; $released" 'call __cxa_begin_catch; call release'
is_not 'something else is acquired' 0 '3b - f' "11: call use; mov (%rax), %eax; 12: nop; 13: call copy; 14: mov %rax, %rbx; 15: call use; 16: nop" 'mov %rbx, %rdi; call release'
is_not 'a loop around the scope' 0 0 "17: 11: call use; 12: movl \$0, (%rbx); 13: call copy; 14: jmp 17b; 15: nop; 16: nop"
is_not 'nothing says that the code was compiled to be stopped anywhere' 0 '3b - f' "11: call use; 12: nop; 13: call copy; 14: nop; 15: call use; 16: nop"
is_not '... since a load has no entry' 0 '3b - f' "11: call use; mov (%rax), %eax; 12: mov (%rax), %eax; 13: call copy; 14: nop; 15: call use; 16: nop"
is_not 'what ends the program' 0 0 "$poll 13: call __stack_chk_fail; 14: nop; $released"
finish
