/* SPDX-License-Identifier: MIT
 * serial: the first serial line (16550). */
#include "console.h"
#include "task.h"

enum {
	PORT = 0x3f8,
	DATA = PORT, INTERRUPTS = PORT + 1, FIFO = PORT + 2, LINE = PORT + 3, MODEM = PORT + 4, STATE = PORT + 5,
};
enum { STATE_RECEIVED = 1, STATE_CAN_SEND = 0x20, DIVISOR_LATCH = 0x80, BITS_8 = 3, BAUD_115200 = 1 };
enum { INPUT = 256 };

static char input[INPUT];
static unsigned input_first, input_count;
static struct queue readers;
static struct spinlock output_lock = { .name = "serial", .mends = true };
static bool quiet_lock; /* the kernel has ended: nobody is waited for */

void serial_init(void)
{
	out8(INTERRUPTS, 0);
	out8(LINE, DIVISOR_LATCH);
	out8(DATA, BAUD_115200);
	out8(INTERRUPTS, 0);
	out8(LINE, BITS_8);
	out8(FIFO, 0x07);  /* on and empty */
	out8(MODEM, 0x0b); /* ready, with interrupts */
	out8(INTERRUPTS, 1);
	machine_enable_line(LINE_SERIAL);
}

static void put(char c)
{
	while (!(in8(STATE) & STATE_CAN_SEND))
		;
	out8(DATA, (uint8_t)c);
}

void serial_end(void)
{
	quiet_lock = true;
}

void serial_write(const char *text, size_t size)
{
	bool interrupts = quiet_lock ? false : spin_lock(&output_lock);

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n')
			put('\r');
		put(text[i]);
	}
	if (!quiet_lock)
		spin_unlock(&output_lock, interrupts);
}

void serial_interrupt(void)
{
	while (in8(STATE) & STATE_RECEIVED) {
		char c = (char)in8(DATA);
		if (input_count < INPUT)
			input[(input_first + input_count++) % INPUT] = c;
	}
	queue_wake_all(&readers);
}

static bool take(char *c_ret)
{
	bool interrupts = interrupts_disable();
	bool there = input_count > 0;

	if (there) {
		*c_ret = input[input_first];
		input_first = (input_first + 1) % INPUT;
		input_count--;
	} else {
		task_wait_in(&readers, 0);
	}
	interrupts_restore(interrupts);
	return there;
}

char serial_read(void)
{
	char c;

	while (!take(&c))
		task_yield();
	return c;
}
