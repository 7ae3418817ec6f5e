/*
 * kreclaimd.c - who reclaims, and when.
 *
 * Three parties make passes (reclaim.c): kreclaimd, when free memory is below
 * the low watermark, until it is above the high one; a thread that finds no
 * frame, for itself; and klaunderd, which alone gives dirty pages to pagers.
 * A pager is a program and may need memory to answer, so nobody else ever
 * waits for one (P5), and klaunderd no longer than the pager's deadline. Who
 * found no frame for a while, perhaps because it is that pager, writes such
 * pages to swap instead.
 */
#include "mm/limbo.h"

#include "kernel/stat.h"

#define PRIO 20
#define IDLE_PASSES 8 /* in a row without a frame: it is of no use */
#define PAUSE_NS 10000000

/* A thread that sleeps until it is asked. */
struct sleeper {
	struct spinlock lock; /* guards `asked` */
	struct waitq wait;
	bool asked, at_work; /* atomic reads elsewhere */
};

#define SLEEPER(s) { SPINLOCK_INIT(reclaim), WAITQ_INIT(s.wait), false, false }
static struct sleeper kreclaimd = SLEEPER(kreclaimd);
static struct sleeper klaunderd = SLEEPER(klaunderd);

static void ask(struct sleeper *s)
{
	if (__atomic_load_n(&s->asked, __ATOMIC_RELAXED))
		return;
	spin_lock(&s->lock);
	s->asked = true;
	waitq_wake_all(&s->wait);
	spin_unlock(&s->lock);
}

void reclaim_wake(void)
{
	ask(&kreclaimd);
}

void klaunderd_wake(void)
{
	ask(&klaunderd);
}

bool reclaim_laundering(void)
{
	return __atomic_load_n(&klaunderd.at_work, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&klaunderd.asked, __ATOMIC_RELAXED);
}

struct frame *reclaim_direct(bool impatient)
{
	struct frame *kept = NULL;

	stat_add(WEIR_C_allocstall, 1);
	limbo_reap(true, &kept);
	if (!kept)
		stat_add(WEIR_C_pgsteal_direct,
			 one_pass(impatient ? PAGED_SWAP : PAGED_LEAVE, &kept));
	return kept;
}

uint64_t reclaim_some(uint64_t n)
{
	lru_settle();
	uint64_t freed = 0, all = lru_frames();
	/* Old accessed bits cost a look at each frame more. */
	uint64_t looks = 2 * (n < all ? n : all) / RECLAIM_BATCH;
	unsigned idle = 0;

	for (uint64_t i = 0; i < n && lru_deactivate(true); i++)
		;
	while (freed < n && idle < IDLE_PASSES + looks) {
		uint64_t got = one_pass(PAGED_LEAVE, NULL);

		idle = got ? 0 : idle + 1;
		freed += got;
	}
	limbo_reap(true, NULL);
	return freed;
}

/* Passes until the high watermark is reached, with what waits for its flush,
 * or they free nothing: then false. klaunderd makes at least one. */
static bool fill_up(enum paged_rule paged)
{
	unsigned idle = 0;
	bool must = paged == PAGED_GIVE;

	for (;; must = false) {
		limbo_reap(nr_free() < watermarks.low, NULL);
		if (!must && (nr_free() + limbo_frames() >= watermarks.high ||
			      idle == IDLE_PASSES))
			return idle == 0;
		uint64_t freed = one_pass(paged, NULL);

		stat_add(WEIR_C_pgsteal_kswapd, freed);
		idle = freed ? 0 : idle + 1;
		cond_resched();
	}
}

/* Either of them. Where passes free nothing kreclaimd waits a little: direct
 * reclaim and its errors are behind it. */
static void sleeper_thread(void *arg)
{
	struct sleeper *s = arg;

	for (;;) {
		spin_lock(&s->lock);
		while (!s->asked) {
			waitq_sleep(&s->wait, &s->lock);
			spin_lock(&s->lock);
		}
		__atomic_store_n(&s->at_work, true, __ATOMIC_RELAXED);
		s->asked = false;
		spin_unlock(&s->lock);
		bool launders = s == &klaunderd;

		if (!fill_up(launders ? PAGED_GIVE : PAGED_LEAVE) && !launders)
			thread_sleep_ns(PAUSE_NS);
		__atomic_store_n(&s->at_work, false, __ATOMIC_RELAXED);
	}
}

void reclaim_init(void)
{
	passes_init();
	thread_create_kernel("kreclaimd", sleeper_thread, &kreclaimd, PRIO);
	thread_create_kernel("klaunderd", sleeper_thread, &klaunderd, PRIO);
}
