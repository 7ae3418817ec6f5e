/*
 * pagerlab.c - lab pager: a program keeps pages, and is not trusted.
 *
 *   pagerlab honest    pages come from a program, and go back to it
 *   pagerlab answers   an answer is of one request, and counts once
 *   pagerlab late      who is late is not waited for, and who was killed
 *                      does not wait
 *   pagerlab dead      when the program dies nobody waits for it
 *
 * That program is this one. Needs a privileged shell. Exit status 1: a line
 * says what is not so.
 */
#include "labs/pager/pagerlab.h"

#define SOON_NS 5000000000ull /* half of the longest deadline */
#define MAXN 8u

static struct weir_system sys;

/* ---- honest -------------------------------------------------------------- */

static void honest(void)
{
	const uint64_t npages = sys.frames_total / 4;
	struct upager p = { .read = store_read, .write = store_write,
			    .npages = npages };
	uint64_t out = counter(WEIR_C_pager_out), in;
	volatile uint64_t *m;

	store = pages_map(npages, NULL);
	stored = calloc(npages, sizeof(*stored));
	CHECK(store && stored && upager_start(&p) == 0);
	m = map(p.mem, npages);
	CHECK(count_wrong(m, npages, 0) == 0);
	in = counter(WEIR_C_pager_in);
	CHECK(reclaim_until(WEIR_C_pgsteal, npages / 2));
	CHECK(count_wrong(m, npages, 0) == 0);
	CHECK(counter(WEIR_C_pager_in) > in);
	CHECK(counter(WEIR_C_pager_out) == out); /* all were clean */
	lab_part("clean");
	for (unsigned round = 1; round <= 3; round++) {
		for (uint64_t i = 0; i < npages; i++)
			m[i * WORDS + STORE_STEP]++;
		CHECK(reclaim_until(WEIR_C_pager_out, 64));
		CHECK(count_wrong(m, npages, round) == 0);
	}
	lab_part("dirty");
	unmap(m, npages);
	upager_stop(&p);
}

/* ---- answers ------------------------------------------------------------- */

/* Three are asked for, and come in another order; the fourth is wanted by
 * two, and asked for once. */
static void answers_order(void)
{
	struct bare b = bare_new(4, 0);
	struct weir_pager_request r[3];
	struct reader readers[3];
	uint64_t in;

	for (unsigned i = 0; i < 3; i++)
		reader_start(&readers[i], &b, i);
	for (unsigned i = 0; i < 3; i++)
		r[i] = take(&b);
	for (unsigned i = 3; i-- > 0;)
		CHECK(give(&b, &r[i]) == 0);
	for (unsigned i = 0; i < 3; i++)
		CHECK(reader_got(&readers[i]) && good(&b, i));
	lab_part("order");
	in = counter(WEIR_C_pager_in);
	for (unsigned i = 0; i < 2; i++)
		reader_start(&readers[i], &b, 3);
	r[0] = take(&b);
	CHECK(give(&b, &r[0]) == 0);
	for (unsigned i = 0; i < 2; i++)
		CHECK(reader_got(&readers[i]));
	CHECK(good(&b, 3) && counter(WEIR_C_pager_in) == in + 1);
	lab_part("once");
	bare_drop(&b);
}

static void answers_names(void)
{
	struct bare b = bare_new(2, 0), other = bare_new(1, 0);
	struct reader readers[3];
	struct weir_pager_request r, s;

	reader_start(&readers[0], &b, 0);
	reader_start(&readers[1], &b, 1);
	reader_start(&readers[2], &other, 0);
	r = take(&b);
	CHECK(r.kind == WEIR_PAGER_READ && r.page < 2 && r.cookie);
	for (uint64_t guess = 0; guess < 10; guess++)
		if (guess != r.cookie) /* of the other one, too, not taken */
			CHECK(sys_pager_done(b.pager, guess, NULL, 0) ==
			      -WEIR_EINVAL);
	CHECK(give(&b, &r) == 0);
	CHECK(give(&b, &r) == -WEIR_EINVAL);
	s = take(&b);
	CHECK(s.cookie != r.cookie && s.page == !r.page);
	CHECK(give(&b, &r) == -WEIR_EINVAL);
	CHECK(give(&b, &s) == 0);
	s = take(&other);
	CHECK(give(&other, &s) == 0);
	CHECK(reader_got(&readers[0]) && good(&b, 0));
	CHECK(reader_got(&readers[1]) && good(&b, 1));
	CHECK(reader_got(&readers[2]) && good(&other, 0));
	bare_drop(&b);
	bare_drop(&other);
	lab_part("names");
}

/* Half of the bytes are no answer, and the request is still there; a refusal
 * is one, and so are zeros. */
static void answers_kinds(void)
{
	struct bare b = bare_new(3, 0);
	struct weir_pager_request r;
	struct reader reader;
	char *half = pages_map(2, NULL);
	uint64_t wrong = 0;

	CHECK(sys_mem_unmap(startup->self, (uintptr_t)half + PAGE, 1) == 0);
	reader_start(&reader, &b, 0);
	r = take(&b);
	CHECK(sys_pager_done(b.pager, r.cookie, half + 2048, 0) ==
	      -WEIR_EFAULT);
	CHECK(give(&b, &r) == 0);
	CHECK(reader_got(&reader) && good(&b, 0));
	lab_part("short");
	reader_start(&reader, &b, 1);
	r = take(&b);
	CHECK(sys_pager_done(b.pager, r.cookie, half, -7) == 0);
	CHECK(!reader_got(&reader));
	if (!reader.came) { /* it is asked for again */
		reader_start(&reader, &b, 1);
		r = take(&b);
		CHECK(r.page == 1 && give(&b, &r) == 0);
		CHECK(reader_got(&reader) && good(&b, 1));
	}
	lab_part("refused");
	reader_start(&reader, &b, 2);
	r = take(&b);
	CHECK(sys_pager_done(b.pager, r.cookie, NULL, 0) == 0);
	CHECK(reader_got(&reader));
	for (uint64_t i = 0; i < WORDS; i++)
		wrong += b.m[2 * WORDS + i] != 0;
	CHECK(wrong == 0);
	lab_part("zeros");
	pages_unmap(half, 1);
	bare_drop(&b);
}

/* ---- dirty pages whose pager fails them ---------------------------------- */

/* A dirty page that it was to keep stays in memory, then goes to swap, and
 * comes back from there; once it failed it is not asked again. */
static void dirty(enum failing how, const char *name)
{
	const uint64_t npages = 64;
	struct upager p = { .read = plain_read,
			    .write = how == HANGS ? hang_write : refuse_write,
			    .npages = npages,
			    .deadline_ns = how == REFUSES ? 0 : SHORT_NS };
	volatile uint64_t *m;
	uint64_t out;

	CHECK(upager_start(&p) == 0);
	m = map(p.mem, npages);
	for (uint64_t i = 0; i < npages; i++)
		m[i * WORDS + STORE_STEP]++;
	if (how == DIES)
		upager_stop(&p);
	else
		CHECK(reclaim_until(WEIR_C_pager_out, 1));
	CHECK(reclaim_until(WEIR_C_pswpout, npages));
	CHECK(count_wrong(m, npages, 1) == 0);
	for (uint64_t i = 0; i < npages; i++)
		m[i * WORDS + STORE_STEP]++; /* waits for a write that is out */
	out = counter(WEIR_C_pager_out);
	CHECK(reclaim_until(WEIR_C_pswpout, npages));
	CHECK(count_wrong(m, npages, 2) == 0);
	for (unsigned i = 0; i < 8; i++) { /* klaunderd has time to ask */
		sys_sys_ctl(WEIR_CTL_RECLAIM, sys.frames_total, 0);
		sleep_ns(SHORT_NS / 4);
	}
	CHECK(counter(WEIR_C_pager_out) == out);
	unmap(m, npages);
	if (how != DIES)
		upager_stop(&p);
	lab_part(name);
}

static void answers(void)
{
	answers_order();
	answers_names();
	answers_kinds();
	dirty(REFUSES, "kept");
}

/* ---- late ---------------------------------------------------------------- */

static void late_read(void)
{
	struct bare b = bare_new(2, SHORT_NS);
	struct weir_pager_request r, s;
	struct reader reader;

	reader_start(&reader, &b, 0);
	r = take(&b);
	CHECK(!reader_got(&reader));
	CHECK(reader.ns >= SHORT_NS && reader.ns < SOON_NS);
	lab_part("deadline");
	CHECK(give(&b, &r) == -WEIR_EINVAL);
	reader_start(&reader, &b, 0);
	s = take(&b);
	CHECK(s.page == 0 && s.cookie != r.cookie);
	CHECK(give(&b, &r) == -WEIR_EINVAL);
	CHECK(give(&b, &s) == 0);
	CHECK(reader_got(&reader) && good(&b, 0));
	lab_part("too late");
	bare_drop(&b);
}

/* The child, whose fault waits for us, is killed. */
static void late_killed(void)
{
	struct bare b = bare_new(1, 0);
	char *argv[] = { "pagerlab", "--touch", NULL };
	struct spawn_options options = { .extra = { b.mem } };
	struct weir_pager_request r;
	struct child child;
	int status = -1;
	uint64_t start;

	CHECK(spawn("pagerlab", argv, &options, &child) == 0);
	r = take(&b);
	start = now_ns();
	CHECK(sys_task_kill(child.task, STATUS_KILLED) == 0);
	CHECK(child_wait(&child, &status) == 0 && status == STATUS_KILLED);
	CHECK(now_ns() - start < SOON_NS);
	CHECK(give(&b, &r) == -WEIR_EINVAL);
	bare_drop(&b);
	lab_part("killed");
}

static int touch(void)
{
	return map(startup->extra[0], 1)[0] == pattern(0, 0) ? 0 : 1;
}

/* ---- dead ---------------------------------------------------------------- */

static void pager_close(struct bare *b)
{
	sys_handle_close(b->pager);
	b->pager = 0;
}

static void dead(void)
{
	struct bare b = bare_new(MAXN, 0);
	struct reader readers[MAXN];
	uint64_t in = counter(WEIR_C_pager_in);

	for (unsigned i = 0; i < MAXN / 2; i++)
		reader_start(&readers[i], &b, i);
	take(&b);
	take(&b); /* others are not taken, or not there yet */
	pager_close(&b);
	for (unsigned i = 0; i < MAXN / 2; i++)
		CHECK(!reader_got(&readers[i]) && readers[i].ns < SOON_NS);
	CHECK(counter(WEIR_C_pager_in) == in + MAXN / 2);
	lab_part("in hand");
	for (unsigned i = 0; i < MAXN; i++)
		reader_start(&readers[i], &b, i);
	for (unsigned i = 0; i < MAXN; i++)
		CHECK(!reader_got(&readers[i]) && readers[i].ns < SOON_NS);
	bare_drop(&b);
	lab_part("afterwards");
	dirty(DIES, "kept");
}

static void late(void)
{
	late_read();
	late_killed();
	dirty(HANGS, "kept");
}

int main(int argc, char **argv)
{
	static const struct lab_scene all[] = {
		{ "honest", honest }, { "answers", answers },
		{ "late", late }, { "dead", dead },
		{ NULL, NULL },
	};

	system_read(&sys);
	if (argc == 2 && strcmp(argv[1], "--touch") == 0)
		return touch();
	return lab_play(argc, argv, all);
}
