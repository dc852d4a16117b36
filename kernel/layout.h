/* SPDX-License-Identifier: MIT
 * layout: numbers that C, assembly and the linker script share. */
#ifndef KERNEL_LAYOUT_H
#define KERNEL_LAYOUT_H

/* Virtual memory, from high to low: the kernel's image; all of physical memory; stacks. */
#define KERNEL_BASE 0xffffffff80000000
#define KERNEL_PHYSICAL 0x100000
#define STACKS 0xffffc00000000000
#define DIRECT_MAP 0xffff800000000000
#define DIRECT_MAP_SLOT 256
/* Nothing is ever there: what the polls of a task read that is to be killed. */
#define POLL_TRAP 0xffffb00000000000

#define CODE_SELECTOR 0x08
#define DATA_SELECTOR 0x10
#define TASK_SELECTOR 0x18

#define BOOT_STACK_SIZE 16384

/* struct frame: the registers by DWARF number, and what the stub and the processor have pushed. */
#define FRAME_RAX 0
#define FRAME_RDX 8
#define FRAME_RCX 16
#define FRAME_RBX 24
#define FRAME_RSI 32
#define FRAME_RDI 40
#define FRAME_RBP 48
#define FRAME_RSP 56
#define FRAME_R8 64
#define FRAME_R9 72
#define FRAME_R10 80
#define FRAME_R11 88
#define FRAME_R12 96
#define FRAME_R13 104
#define FRAME_R14 112
#define FRAME_R15 120
#define FRAME_RIP 128
#define FRAME_VECTOR 136
#define FRAME_PUSHED_RIP 152
#define FRAME_PUSHED_RSP 176
#define FRAME_SIZE 192

/* Interrupt vectors: the processor's exceptions, 16 lines, and the software interrupt by which a task gives
 * way. */
#define VECTOR_IRQ 32
#define VECTOR_YIELD 48
#define VECTORS 49

#endif
