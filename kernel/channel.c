/* SPDX-License-Identifier: MIT
 * channel: messages from task to task. */
#include "console.h"
#include "task.h"

static unsigned other(unsigned end)
{
	return 1 - end;
}

static struct channel *of(struct object *object)
{
	return (struct channel *)object; /* its first member */
}

static void open(struct object *object, unsigned role)
{
	if (role == 0)
		return;
	of(object)->ends[role - 1]++;
	of(object)->opened[role - 1] = true;
}

/* With the last of an end, all at the other learn that nobody will answer. */
static void close(struct object *object, unsigned role)
{
	if (role != 0 && --of(object)->ends[role - 1] == 0)
		queue_wake_all(&of(object)->waiting[other(role - 1)]);
}

static void destroy(struct object *object)
{
	heap_give(&kernel_heap, object);
}

static const struct object_kind channel_kind = { "channel", open, close, destroy };

struct channel *channel_create(void)
{
	struct channel *channel = heap_take(&kernel_heap, sizeof *channel);

	if (!channel)
		return NULL;
	object_init(&channel->object, &channel_kind);
	channel->lock = (struct spinlock){ .name = "channel", .mends = true };
	return channel;
}

static bool is_closed(const struct channel *channel, unsigned end)
{
	return channel->opened[end] && channel->ends[end] == 0;
}

static void put(struct channel *channel, const struct message *message)
{
	channel->messages[(channel->first + channel->count++) % CHANNEL_MESSAGES] = *message;
}

static void get(struct channel *channel, struct message *message_ret)
{
	*message_ret = channel->messages[channel->first % CHANNEL_MESSAGES];
	channel->first = (channel->first + 1) % CHANNEL_MESSAGES;
	channel->count--;
}

static void wake_one(struct queue *queue)
{
	if (queue->first)
		task_wake(queue->first);
}

/* AGAIN: the task waits from now on. */
static status try_send(struct channel *channel, const struct message *message)
{
	if (is_closed(channel, CHANNEL_RECEIVE - 1))
		return E_CLOSED;
	if (channel->count == CHANNEL_MESSAGES) {
		task_wait_in(&channel->waiting[CHANNEL_SEND - 1], 0);
		return AGAIN;
	}
	put(channel, message);
	wake_one(&channel->waiting[CHANNEL_RECEIVE - 1]);
	return OK;
}

static status try_receive(struct channel *channel, struct message *message_ret)
{
	if (channel->count > 0) {
		get(channel, message_ret);
		wake_one(&channel->waiting[CHANNEL_SEND - 1]);
		return OK;
	}
	if (is_closed(channel, CHANNEL_SEND - 1))
		return E_CLOSED;
	task_wait_in(&channel->waiting[CHANNEL_RECEIVE - 1], 0);
	return AGAIN;
}

/* The caller's message is read, and written, outside of the section: it may be anywhere. */
status channel_send(struct channel *channel, const struct message *message)
{
	const struct message copy = *message;

	require(channel->object.magic == MAGIC_OBJECT && channel->object.kind == &channel_kind);
	for (;;) {
		bool interrupts = spin_lock(&channel->lock);
		status status = try_send(channel, &copy);
		spin_unlock(&channel->lock, interrupts);
		if (status != AGAIN)
			return status;
		task_yield();
	}
}

status channel_receive(struct channel *channel, struct message *message_ret)
{
	struct message copy;

	require(channel->object.magic == MAGIC_OBJECT && channel->object.kind == &channel_kind);
	for (;;) {
		bool interrupts = spin_lock(&channel->lock);
		status status = try_receive(channel, &copy);
		spin_unlock(&channel->lock, interrupts);
		if (status == OK)
			*message_ret = copy;
		if (status != AGAIN)
			return status;
		task_yield();
	}
}
