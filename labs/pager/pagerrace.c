/*
 * pagerrace.c - lab pager: answers, deadlines and a death at the same time.
 *
 *   pagerrace [seed=N]
 *
 * Readers want pages; several threads answer some requests twice, some not at
 * all, some about when they are due, and refuse some that are another's; at
 * some moment the pager dies. What was given must be what came. Exit status 1:
 * it is not.
 */
#include "labs/pager/pagerlab.h"

#define NPAGES 160u
#define DUE_NS 6000000ull
#define STOP 1u
#define ROUNDS 6u
#define READERS 8u
#define SERVERS 3u

static struct weir_system sys;

struct race {
	struct bare b;
	uint64_t seed;
	unsigned nreaders;
	unsigned came, wrong, given; /* atomic */
	unsigned left;               /* answers until it dies; atomic */
};

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

struct racer {
	struct race *race;
	unsigned id;
	struct uthread *thread;
};

static void race_read(void *arg)
{
	struct racer *me = arg;
	struct race *race = me->race;

	for (uint64_t p = me->id; p < NPAGES; p += race->nreaders) {
		struct reader r = { .at = race->b.m + p * WORDS };

		read_one(&r);
		if (!r.came)
			continue;
		__atomic_add_fetch(&race->came, 1, __ATOMIC_RELAXED);
		if (!good(&race->b, p))
			__atomic_add_fetch(&race->wrong, 1, __ATOMIC_RELAXED);
	}
}

/* What one that cannot be trusted does with a request. */
static void race_answer(struct race *race, const struct weir_pager_request *r,
			uint64_t *words, uint64_t draw)
{
	sleep_ns(draw % (DUE_NS * 3 / 4));
	if (draw >> 32 & 1)
		sys_pager_done(race->b.pager, r->cookie + 1 + draw % 3, NULL,
			       -1);
	if (draw >> 40 & 7) {
		fill(words, r->page);
		for (unsigned twice = 0; twice < 2; twice++)
			if (sys_pager_done(race->b.pager, r->cookie, words,
					   0) == 0)
				__atomic_add_fetch(&race->given, 1,
						   __ATOMIC_RELAXED);
	}
	/* Else nothing at all. */
}

static void race_serve(void *arg)
{
	struct racer *me = arg;
	struct race *race = me->race;
	uint64_t state = race->seed * 0x9e3779b97f4a7c15ull + me->id + 1;
	uint64_t *words = pages_map(1, NULL), bits = 0;
	struct weir_pager_request r;

	while (!(bits & 1u << STOP)) {
		while (sys_pager_next(race->b.pager, &r, words) == 0) {
			race_answer(race, &r, words, next(&state));
			if (__atomic_sub_fetch(&race->left, 1,
					       __ATOMIC_RELAXED) == 0)
				sys_handle_close(race->b.pager);
		}
		sys_ntfn_wait(race->b.ntfn, ~0ull, 0, &bits);
	}
	sys_ntfn_signal(race->b.ntfn, 1u << STOP); /* the others, too */
	pages_unmap(words, 1);
}

/* Every request has one end: what was given came, and nothing else did. */
static void race_round(uint64_t seed)
{
	struct race race = { .b = bare_new(NPAGES, DUE_NS),
			     .seed = seed, .left = 100 + seed % 60,
			     .nreaders = 2 * sys.cpus < READERS ?
					 2 * sys.cpus : READERS };
	struct racer readers[READERS], servers[SERVERS];

	for (unsigned i = 0; i < SERVERS; i++) {
		servers[i] = (struct racer){ &race, READERS + i, NULL };
		servers[i].thread = uthread_start(race_serve, &servers[i], -1);
	}
	for (unsigned i = 0; i < race.nreaders; i++) {
		readers[i] = (struct racer){ &race, i, NULL };
		readers[i].thread = uthread_start(race_read, &readers[i], -1);
	}
	for (unsigned i = 0; i < race.nreaders; i++)
		uthread_join(readers[i].thread);
	sys_ntfn_signal(race.b.ntfn, 1u << STOP);
	for (unsigned i = 0; i < SERVERS; i++)
		uthread_join(servers[i].thread);
	if ((int)race.left <= 0)
		race.b.pager = 0;
	bare_drop(&race.b);
	printf("race: %u of %u pages came, %u were given%s\n", race.came,
	       NPAGES, race.given,
	       (int)race.left <= 0 ? ", then it died" : "");
	CHECK(race.wrong == 0);
	CHECK(race.came == race.given);
}

int main(int argc, char **argv)
{
	uint64_t seed = 1;

	for (int i = 1; i < argc; i++)
		if (!arg_u64(argv[i], "seed", &seed))
			return STATUS_USAGE;
	system_read(&sys);
	for (unsigned i = 0; i < ROUNDS; i++)
		race_round(seed * ROUNDS + i);
	lab_part("race");
	return lab_end();
}
