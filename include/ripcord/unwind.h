#ifndef RIPCORD_UNWIND_PUBLIC_H
#define RIPCORD_UNWIND_PUBLIC_H
#include "ripcord/status.h"
int rip_backtrace(void **pcs, int max);
#endif
