#include <stdio.h>
#include <ripcord/cleanup.h>
#include <ripcord/ripcord.h>

static void give_back(void *what) { printf("released: %s\n", (char *)what); }

static intptr_t work(void *where)
{
	char what[] = "what the guest held";
	RIP_DEFER(give_back, what);
	return *(volatile int *)where; /* where is NULL: the guest ends here */
}

int main(void)
{
	rip_guest *guest;
	rip_outcome end;
	if (rip_create(NULL, &guest) != RIP_OK || rip_run(guest, work, NULL, &end) != RIP_OK)
		return 1;
	printf("the guest ended by: %s\n", rip_cause_name(end.cause));
	return rip_destroy(guest);
}
