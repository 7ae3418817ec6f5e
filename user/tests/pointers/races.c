/*
 * races.c - calls with a pointer to a page that is taken away meanwhile.
 *
 * A flipper, on another CPU where there is one, unmaps and maps the window,
 * or makes it read-only and writable, or has it reclaimed. Now and then it
 * holds the state until a call was made in it, whose result is then certain;
 * else the calls come when they come. Once an unmap or a protection has
 * returned nothing may be written through it, also by a call that began
 * before (P3): the flipper looks, through the other mapping.
 */
#include "user/tests/pointers/pointers.h"

enum mode { UNMAP, PROTECT, RECLAIM, MODES };
enum state { FREE, TAKEN, GIVEN, OVER };

#define HOLD_EACH 4u /* flips */
#define TRIES 100000u
#define CALLS 2u     /* so many have ended: none began before the flip */

static struct {
	const struct target *t;
	enum mode mode;
	uint64_t pointer, flips;
	enum state state; /* atomic: what is held for one call */
	uint64_t calls;   /* atomic: that have ended */
} race;

static void set_state(enum state s)
{
	__atomic_store_n(&race.state, s, __ATOMIC_RELEASE);
}

static enum state get_state(void)
{
	return __atomic_load_n(&race.state, __ATOMIC_ACQUIRE);
}

static uint64_t calls_made(void)
{
	return __atomic_load_n(&race.calls, __ATOMIC_ACQUIRE);
}

/* --- the flipper ---------------------------------------------------------- */

/* Until a call was made in that state, from its begin to its end. */
static void hold(enum state s)
{
	set_state(s);
	while (get_state() == s)
		uthread_yield();
}

static void take_away(void)
{
	if (race.mode == UNMAP)
		window_unmap();
	else
		window_protect(0, WINDOW_PAGES, WEIR_P_READ);
}

static void give_back(void)
{
	if (race.mode == UNMAP)
		window_map();
	else
		window_protect(0, WINDOW_PAGES, READ_WRITE);
}

static void flip(bool held)
{
	bool watch = race.mode == UNMAP || race.t->use == USE_WRITTEN;
	uint64_t before;

	take_away();
	before = calls_made();
	if (watch)
		paint();
	if (held)
		hold(TAKEN);
	while (!held && calls_made() < before + CALLS)
		uthread_yield();
	expect(!watch || painted(0, WINDOW_PAGES),
	       "nothing is written through what is gone");
	if (watch && race.t->fill)
		race.t->fill(in_alias(race.pointer));
	give_back();
	if (held)
		hold(GIVEN);
}

static uint64_t pages_in(void)
{
	struct counters c;

	counters_read(&c);
	return c.v[WEIR_C_pswpin];
}

/* Until pages were read back so often: nobody but the calls needs any. */
static void reclaim_often(void)
{
	uint64_t end = pages_in() + race.flips / 4 + 1;

	/* It is in use all the time, so it takes a few tries. */
	for (unsigned i = 0; i < TRIES && pages_in() < end; i++)
		reclaim(WINDOW_PAGES);
	expect(pages_in() >= end, "the page went, and came back");
}

static void flipper(void *arg)
{
	(void)arg;
	if (race.mode == RECLAIM)
		reclaim_often();
	for (uint64_t i = 0; race.mode != RECLAIM && i < race.flips; i++)
		flip(i % HOLD_EACH == 0);
	set_state(OVER);
}

/* --- who calls ------------------------------------------------------------ */
static void call_once(void)
{
	enum state state = get_state();
	bool reads = race.t->use == USE_READ;
	long result = call_with(race.t, race.pointer);
	const uint8_t *bytes = in_alias(race.pointer);

	if (state == GIVEN || (state == TAKEN && race.mode == PROTECT &&
			       reads))
		expect(call_right(race.t, result, bytes), "it is there");
	else if (state == TAKEN)
		expect(result == -WEIR_EFAULT, "it is not there");
	else if (race.mode == RECLAIM || (race.mode == PROTECT && reads))
		expect(result >= 0, "it may be used all the time");
	else
		expect(result >= 0 || result == -WEIR_EFAULT,
		       "it is there or not");
	if (race.mode == RECLAIM)
		expect(call_right(race.t, result, bytes), "and the bytes are");
	__atomic_add_fetch(&race.calls, 1, __ATOMIC_RELEASE);
	if (state == TAKEN || state == GIVEN)
		set_state(FREE);
}

unsigned test_races(const struct target *t, uint64_t flips)
{
	int cpu = uthread_cpu();
	struct weir_system sys;

	system_read(&sys);
	for (enum mode m = 0; m < MODES; m++) {
		struct uthread *other;

		race.t = t;
		race.mode = m;
		race.flips = flips;
		race.pointer = WINDOW +
			       random64() % (WINDOW_PAGES * PAGE - t->size);
		if (t->fill)
			t->fill(in_alias(race.pointer));
		set_state(FREE);
		uthread_pin(cpu);
		other = uthread_start(flipper, NULL, (cpu + 1) % sys.cpus);
		if (!expect(other, "the flipper starts"))
			break;
		while (get_state() != OVER)
			call_once();
		uthread_join(other);
	}
	return MODES;
}
