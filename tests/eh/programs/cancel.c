/* Threads that end: cancelled where they wait, anywhere, and by themselves. Built with -fexceptions, where
 * pthread_cleanup_push is a cleanup, and without, where it is a setjmp buffer. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static __thread int cleanups;
static pthread_barrier_t ready;
static volatile int spinning;
static int results[4];

static void clean(void *argument) { results[0] += *(int *)argument; cleanups++; }

#ifdef __EXCEPTIONS
static void gone(int *number) { results[1] += *number; }
#define WITH_CLEANUP __attribute__((cleanup(gone)))
#else
#define WITH_CLEANUP __attribute__((unused))
#endif

__attribute__((noinline)) static void wait_here(int depth)
{
	WITH_CLEANUP int number = depth;
	int pushed = 1;

	pthread_cleanup_push(clean, &pushed);
	if (depth > 0)
		wait_here(depth - 1);
	else {
		pthread_barrier_wait(&ready);
		for (;;)
			pause();
	}
	pthread_cleanup_pop(0);
}

__attribute__((noinline)) static void spin_here(int depth)
{
	WITH_CLEANUP int number = depth;
	int pushed = 1;

	pthread_cleanup_push(clean, &pushed);
	if (depth > 0)
		spin_here(depth - 1);
	else {
		for (;;)
			spinning = 1;
	}
	pthread_cleanup_pop(0);
}

__attribute__((noinline)) static void leave_here(int depth)
{
	WITH_CLEANUP int number = depth;
	int pushed = 1;

	pthread_cleanup_push(clean, &pushed);
	if (depth > 0)
		leave_here(depth - 1);
	else
		pthread_exit((void *)17);
	pthread_cleanup_pop(0);
}

static void at_key(void *value) { results[2] += value != NULL; }
static pthread_key_t key;

static void *deferred(void *argument)
{
	pthread_setspecific(key, argument);
	/* Who takes this register for a frame address believes that unwinding has gone far enough. */
	__asm__ volatile("movq %0, %%r13" : : "r"(pthread_self()) : "r13");
	wait_here(10);
	return NULL;
}

static void *asynchronous(void *argument)
{
	pthread_setspecific(key, argument);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	spin_here(10);
	return NULL;
}

static void *leaving(void *argument)
{
	pthread_setspecific(key, argument);
	leave_here(10);
	return NULL;
}

static void *condition(void *argument)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

	(void)argument;
	pthread_mutex_lock(&mutex);
	pthread_cleanup_push((void (*)(void *))pthread_mutex_unlock, &mutex);
	pthread_barrier_wait(&ready);
	for (;;)
		pthread_cond_wait(&never, &mutex);
	pthread_cleanup_pop(0);
	return NULL;
}

static void show(const char *name, void *value)
{
	printf("%s: %s, cleanups %d %d %d\n", name,
	       value == PTHREAD_CANCELED ? "cancelled" : value == (void *)17 ? "17" : "?", results[0], results[1],
	       results[2]);
	memset(results, 0, sizeof results);
	spinning = 0;
}

static void run(const char *name, void *(*function)(void *), int cancel)
{
	pthread_t thread;
	void *value;

	pthread_barrier_init(&ready, NULL, cancel ? 2 : 1);
	pthread_create(&thread, NULL, function, &results);
	if (cancel) {
		if (function == asynchronous)
			while (!spinning)
				;
		else
			pthread_barrier_wait(&ready);
		pthread_cancel(thread);
	}
	pthread_join(thread, &value);
	show(name, value);
}

int main(int argc, char **argv)
{
	pthread_key_create(&key, at_key);
	for (int i = 0; i < 20; i++) {
		run("deferred", deferred, 1);
		run("asynchronous", asynchronous, 1);
		run("exit", leaving, 0);
		run("condition", condition, 1);
	}
	if (argc > 1) {
		fflush(stdout);
		pthread_exit(argv);
	}
	return 0;
}
