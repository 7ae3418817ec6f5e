/*
 * fuzz.h - what the parts of the system-call fuzzer share.
 *
 * The supervisor (fuzz.c) starts expendable workers (worker.c), which draw
 * calls (draw.c) until `left` is used up, peers that answer and call
 * (peers.c), and a bystander, whose memory must stay what it is (peers.c).
 */
#pragma once

#include "kernel/abi/test.h"
#include "user/lib/weir_user.h"

#define PAGE WEIR_PAGE_SIZE
#define READ_WRITE (WEIR_P_READ | WEIR_P_WRITE)
#define NS_PER_MS 1000000ull
#define WORKERS_MAX 8u

/* One page that all workers count in. */
struct shared {
	int64_t left; /* calls to be made still */
	uint64_t made[WEIR_NSYSCALLS + 1]; /* the last: numbers of no call */
	uint64_t good[WEIR_NSYSCALLS + 1]; /* of these, returned 0 or more */
	uint64_t progress[WORKERS_MAX];
};

/* startup->extra of workers and peers. */
enum {
	X_SHARED,
	X_SERVED,   /* an endpoint that the peers receive from */
	X_CALLED,   /* an endpoint that the peers call */
	X_SIGNALS,  /* a notification that they signal */
	X_GO,       /* bystander: verify now */
	X_TOLD,     /* bystander: enum told */
};
enum told { TOLD_READY = 1, TOLD_GOOD = 2, TOLD_BAD = 4 };

extern struct shared *shared;

uint64_t next_random(uint64_t *rng);
void count_call(uint64_t nr, long result, bool returned);

int worker_main(uint64_t seed, uint64_t id);
int peers_main(void);
int bystander_main(void);

/* --- draw.c: a worker's pool, and what it draws from it ------------------- */
enum kind { K_TASK, K_THREAD, K_EP, K_NTFN, K_MEM, K_PAGER, KINDS };
#define KEPT 8u

/* Made once, before there are threads; afterwards all of them change it at
 * once, which is part of the mess. */
extern handle_t pool[KINDS][KEPT];
extern handle_t stale[KEPT];

/* Memory to be pointed to. */
struct places {
	char *arena;   /* ARENA_PAGES, read and write */
	char *edge;    /* a page before a hole */
	char *readonly, *code;
	char *flips;   /* a page that comes and goes */
	char *mapped;  /* what was mapped last */
	char *paged;   /* PAGED_PAGES that their pager supplies late or never */
};
#define ARENA_PAGES 48u
#define PAGED_PAGES 64u
extern struct places places;

/* A request that was taken: where it was put, and from which pager. A call of
 * pager_done may be drawn that fits. */
extern struct taken {
	const struct weir_pager_request *request; /* NULL: none */
	handle_t pager;
} taken;

struct args {
	uint64_t nr, v[8]; /* RDI RSI RDX R10 R8 R9 R12 R13 */
};
/* A call; `owes`: this thread has a client. */
void draw_call(uint64_t *rng, bool owes, struct args *a);
/* The handle comes into the pool; the one that it replaces is closed. */
void keep(uint64_t *rng, enum kind kind, handle_t h);
