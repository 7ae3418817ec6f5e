/*
 * frame_check.h - the whole of mm/frame.c, and a look into it.
 */
#include "mm/frame.c"

/* Panics unless lists, states and counts agree. No one else may be
 * allocating. */
static void frame_check(void)
{
	uint64_t listed = 0, cached = 0, unused = 0;
	struct frame *f;

	for (unsigned order = 0; order <= FRAME_MAX_ORDER; order++) {
		TAILQ_FOREACH (f, &buddy[order], lru) {
			assert(f->listed && f->head && f->order == order);
			assert(!((f - frames) & ((1ull << order) - 1)));
			listed += 1ull << order;
		}
	}
	for (unsigned i = 0; i < MAX_CPUS; i++) {
		TAILQ_FOREACH (f, &caches[i].list, lru) {
			assert(f->state == FRAME_FREE && !f->listed);
			cached++;
		}
	}
	for (uint64_t i = 0; i < frames_end; i++)
		unused += frames[i].state == FRAME_FREE;
	assert(listed + cached == unused);
	assert(unused == nr_free());
}
