/* SPDX-License-Identifier: MIT
 * flow: from call to call through code written by hand: lengths of instructions, jumps, branches, where it ends; and the
 * small functions that are known by their bytes. */
#include <string.h>

#include "arch.h"
#include "tap.h"

enum { AT = 0x1000, ROOM = 256 };

static uint8_t code[ROOM + 16];
static size_t code_size;

/* What is behind the code is not there, but for the bytes that decoding may look at. */
static bool read_code(void *context, uint64_t address, void *to, size_t size)
{
	(void)context;
	if (address < AT || address + size > AT + sizeof code)
		return false;
	memcpy(to, code + (address - AT), size);
	return address < AT + code_size;
}

static struct rip_arch_way way_through(const void *bytes, size_t size)
{
	memset(code, 0xcc, sizeof code);
	memcpy(code, bytes, size);
	code_size = size;
	return (struct rip_arch_way){ .pc = AT, .read = read_code };
}

/* Each instruction stands in front of a call: found where it should be, its length was right. */
static void test_lengths(void)
{
	static const struct { const char *name; const char *bytes; size_t size; } cases[] = {
#define CASE(name, bytes) { name, bytes, sizeof bytes - 1 }
		CASE("nop", "\x90"), CASE("endbr64", "\xf3\x0f\x1e\xfa"), CASE("push rbx", "\x53"),
		CASE("push r12", "\x41\x54"), CASE("mov rdi, rax", "\x48\x89\xc7"),
		CASE("mov rdi, [rsp+8]", "\x48\x8b\x7c\x24\x08"), CASE("mov rax, [rsp]", "\x48\x8b\x04\x24"),
		CASE("mov eax, [rip+1]", "\x8b\x05\x01\x00\x00\x00"), CASE("mov [rbp-300], eax", "\x89\x85\xd4\xfe\xff\xff"),
		CASE("mov eax, [4*rcx+0x10]", "\x8b\x04\x8d\x10\x00\x00\x00"), CASE("lea rdi, [rip+9]", "\x48\x8d\x3d\x09\x00\x00\x00"),
		CASE("mov eax, 5", "\xb8\x05\x00\x00\x00"), CASE("movabs rax, 5", "\x48\xb8\x05\x00\x00\x00\x00\x00\x00\x00"),
		CASE("mov ax, 5", "\x66\xb8\x05\x00"), CASE("mov qword [rax], 5", "\x48\xc7\x00\x05\x00\x00\x00"),
		CASE("mov byte [rax+1], 5", "\xc6\x40\x01\x05"), CASE("add rsp, 8", "\x48\x83\xc4\x08"),
		CASE("sub rsp, 0x100", "\x48\x81\xec\x00\x01\x00\x00"), CASE("and al, 1", "\x24\x01"),
		CASE("and eax, 1", "\x25\x01\x00\x00\x00"), CASE("test dl, 1", "\xf6\xc2\x01"), CASE("not eax", "\xf7\xd0"),
		CASE("test edi, 1", "\xf7\xc7\x01\x00\x00\x00"), CASE("imul eax, ecx, 3", "\x6b\xc1\x03"),
		CASE("cmp rdx, 2", "\x48\x83\xfa\x02"), CASE("sete al", "\x0f\x94\xc0"), CASE("cmove rax, rcx", "\x48\x0f\x44\xc1"),
		CASE("movzx eax, byte [rdi]", "\x0f\xb6\x07"), CASE("movups [rsp], xmm0", "\x0f\x11\x04\x24"),
		CASE("movdqa xmm0, [rip+2]", "\x66\x0f\x6f\x05\x02\x00\x00\x00"), CASE("pshufd xmm0, xmm1, 1", "\x66\x0f\x70\xc1\x01"),
		CASE("bt eax, 3", "\x0f\xba\xe0\x03"), CASE("shl eax, 3", "\xc1\xe0\x03"), CASE("lock xadd", "\xf0\x0f\xc1\x07"),
		CASE("mov al, fs:[0]", "\x64\x8a\x04\x25\x00\x00\x00\x00"), CASE("long nop", "\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00"),
#undef CASE
	};
	static const uint8_t call[] = { 0xe8, 0x10, 0, 0, 0 };
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t bytes[32];
		struct rip_arch_call found = { 0 };
		memcpy(bytes, cases[i].bytes, cases[i].size);
		memcpy(bytes + cases[i].size, call, sizeof call);
		struct rip_arch_way way = way_through(bytes, cases[i].size + sizeof call);
		bool got = rip_arch_next_call(&way, &found);
		tap_ok(got && found.next == AT + cases[i].size + 5 && found.target == found.next + 0x10 && found.slot == 0,
		       "%s", cases[i].name);
	}
}

static void test_calls(void)
{
	struct rip_arch_call call;
	struct rip_arch_way way = way_through("\xff\x15\x08\x00\x00\x00" "\xff\xd0" "\x41\xff\xd4" "\xe8\xfb\xff\xff\xff" "\xc3", 17);
	tap_ok(rip_arch_next_call(&way, &call) && call.target == 0 && call.slot == AT + 6 + 8 && call.next == AT + 6,
	       "a call through a slot");
	tap_ok(rip_arch_next_call(&way, &call) && call.target == 0 && call.slot == 0 && call.next == AT + 8, "a call of rax");
	tap_ok(rip_arch_next_call(&way, &call) && call.target == 0 && call.next == AT + 11, "a call of r12");
	tap_ok(rip_arch_next_call(&way, &call) && call.target == AT + 11 && call.next == AT + 16, "a call backwards");
	tap_ok(!rip_arch_next_call(&way, &call), "a return is the end");
}

static void test_jumps(void)
{
	struct rip_arch_call call;
	struct rip_arch_way way = way_through("\xeb\x01\xc3" "\xe9\x01\x00\x00\x00\xc3" "\xe8\x00\x00\x00\x00", 14);
	tap_ok(rip_arch_next_call(&way, &call) && call.next == AT + 14, "along jumps, short and long");
	way = way_through("\xeb\xfe", 2);
	tap_ok(!rip_arch_next_call(&way, &call), "a jump to itself ends");
	way = way_through("\xff\xe0" "\xe8\x00\x00\x00\x00", 7);
	tap_ok(!rip_arch_next_call(&way, &call), "an indirect jump ends the way");
	way = way_through("\xc5\xf8\x77" "\xe8\x00\x00\x00\x00", 8);
	tap_ok(!rip_arch_next_call(&way, &call), "and so does VEX");
	way = way_through("\x90", 1);
	tap_ok(!rip_arch_next_call(&way, &call), "and code that cannot be read");
}

static void test_branches(void)
{
	struct rip_arch_call call;
	/* je +6 (to the second call); call; ret */
	struct rip_arch_way way = way_through("\x74\x06" "\xe8\x00\x00\x00\x00" "\xc3" "\xe8\x00\x01\x00\x00" "\xc3", 14);
	tap_ok(rip_arch_next_call(&way, &call) && call.next == AT + 7, "past a branch");
	tap_ok(!rip_arch_next_call(&way, &call), "to the end");
	tap_ok(rip_arch_next_branch(&way) && way.pc == AT + 8, "then where it leads");
	tap_ok(rip_arch_next_call(&way, &call) && call.target == AT + 13 + 0x100, "to the other call");
	tap_ok(!rip_arch_next_branch(&way), "once");
	way = way_through("\x0f\x85\x01\x00\x00\x00" "\xc3" "\xe8\x00\x00\x00\x00", 12);
	tap_ok(!rip_arch_next_call(&way, &call) && rip_arch_next_branch(&way) && way.pc == AT + 7, "a long branch");
	uint8_t many[ROOM];
	memset(many, 0, sizeof many);
	for (int i = 0; i < 40; i++)
		memcpy(many + 2 * i, "\x75\x00", 2);
	many[80] = 0xc3;
	way = way_through(many, 81);
	int branches = 0;
	rip_arch_next_call(&way, &call);
	while (branches < 100 && rip_arch_next_branch(&way))
		branches++;
	tap_ok(branches <= RIP_ARCH_BRANCHES, "no more than there is room for (%d)", branches);
}

static void test_stubs(void)
{
	uint64_t found = 0;
	uint8_t stub[RIP_ARCH_STUB];
#define STUB(bytes) (memset(stub, 0x90, sizeof stub), memcpy(stub, bytes, sizeof bytes - 1), stub)
	tap_ok(rip_arch_jump_slot(STUB("\xff\x25\x10\x00\x00\x00"), AT, &found) && found == AT + 6 + 0x10, "a linkage entry");
	tap_ok(rip_arch_jump_slot(STUB("\xf3\x0f\x1e\xfa\xff\x25\x10\x00\x00\x00"), AT, &found) && found == AT + 10 + 0x10,
	       "one with endbr64");
	tap_ok(rip_arch_jump_slot(STUB("\xf3\x0f\x1e\xfa\xf2\xff\x25\x10\x00\x00\x00"), AT, &found) && found == AT + 11 + 0x10,
	       "one with bnd");
	tap_ok(!rip_arch_jump_slot(STUB("\xff\x15\x10\x00\x00\x00"), AT, &found), "a call is none");
	tap_ok(rip_arch_loads_word(STUB("\xf3\x0f\x1e\xfa\x48\xb8\x11\x22\x33\x44\x55\x66\x77\x08"), 0x0877665544332211) &&
	       !rip_arch_loads_word(stub, 0x0977665544332211), "a word that is loaded");
	tap_ok(rip_arch_takes_address(STUB("\x50\x48\x8d\x3d\x20\x00\x00\x00"), sizeof stub, AT, &found) &&
	       found == AT + 8 + 0x20, "an address in the first argument");
	tap_ok(!rip_arch_takes_address(STUB("\x48\x8d\x35\x20\x00\x00\x00"), sizeof stub, AT, &found), "not in the second");
	tap_ok(!rip_arch_takes_address(STUB("\x48\x8d\x3d\x20\x00\x00\x00"), 6, AT, &found), "not one that is cut off");
#undef STUB
}

int main(void)
{
	test_lengths();
	test_calls();
	test_jumps();
	test_branches();
	test_stubs();
	tap_done();
}
