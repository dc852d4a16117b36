/* Objective-C: @try, @catch, @finally, @synchronized. */
#include <objc/Object.h>
#include <stdio.h>

@interface Mine : Object
@end
@implementation Mine
@end
@interface Other : Object
@end
@implementation Other
@end

static id mine;

static void descend(int depth)
{
	@try {
		if (depth == 0)
			@throw mine;
		@synchronized (mine) {
			descend(depth - 1);
		}
	} @finally {
		printf("  finally %d\n", depth);
	}
}

int main(void)
{
	mine = (id)[Mine class];
	for (int depth = 0; depth < 4; depth++) {
		@try {
			@try {
				descend(depth);
			} @catch (Other *other) {
				printf("other\n");
			}
		} @catch (id caught) {
			printf("caught %d\n", caught == mine);
		}
	}
	@throw mine;
}
