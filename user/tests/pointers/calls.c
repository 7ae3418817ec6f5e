/*
 * calls.c - for each pointer argument a call that succeeds if that is good.
 *
 * The two of pagers need a request: of `kept`, whose pages are written back
 * to its pager, for pager_next; of `read`, for pager_done. A toucher, a
 * thread of its own, has the faults that lead to them.
 */
#include "user/tests/pointers/pointers.h"

#include "user/tests/account.h"

#define TEXT "pointers: a text"
#define TEXT_BYTES 16u
#define LIMIT 12345u
#define PATIENCE_NS 20000000000ull

enum { BIT_REQUEST = 5, REQUEST = 1 << BIT_REQUEST, TOUCHED = 1, TOUCH = 2 };

/* A paged object of one page, and its request. */
struct paged {
	handle_t ntfn, pager, mem;
	volatile uint64_t *va;
	bool writes;  /* the toucher writes, or reads */
	uint64_t seen; /* what it has read */
	bool asked;      /* there is a request that was not taken */
	uint64_t cookie; /* of the one that was; 0: none */
	uint64_t last;   /* the cookie before: the kernel counts them */
};
static struct paged kept = { .writes = true }, source;
static handle_t ntfn;
static uint64_t handles_before;
static struct weir_pager_request request;
static uint8_t bytes[PAGE] __attribute__((aligned(4096)));

/* --- requests ------------------------------------------------------------- */
static void touch(void *arg)
{
	struct paged *p = arg;

	while (sys_ntfn_wait(p->ntfn, TOUCH, 0, NULL) == 0) {
		if (p->writes)
			p->va[1]++;
		else
			p->seen = p->va[1];
		sys_ntfn_signal(p->ntfn, TOUCHED);
	}
}

static uint64_t wait_for(struct paged *p, uint64_t mask, uint64_t ns)
{
	uint64_t bits;

	return sys_ntfn_wait(p->ntfn, mask, now_ns() + ns, &bits) ? 0 : bits;
}

static void take(struct paged *p)
{
	p->asked = false;
	expect(sys_pager_next(p->pager, &request, bytes) == 0,
	       "the request is there");
	p->cookie = request.cookie;
	p->last++;
}

static void answer(struct paged *p)
{
	expect(sys_pager_done(p->pager, p->cookie, NULL, 0) == 0,
	       "the request is there to be answered");
	p->cookie = 0;
}

/* Has the page's bytes changed until the pager is to keep them. */
static void ask_to_keep(struct paged *p)
{
	uint64_t bits, deadline = now_ns() + PATIENCE_NS;

	if (p->cookie)
		answer(p);
	while (!p->asked && now_ns() < deadline) {
		sys_ntfn_signal(p->ntfn, TOUCH);
		do {
			bits = wait_for(p, REQUEST | TOUCHED, PATIENCE_NS);
			if (bits & REQUEST) {
				take(p);
				answer(p);
			}
		} while (bits && !(bits & TOUCHED));
		reclaim(64);
		p->asked = wait_for(p, REQUEST, 20000000);
	}
	expect(p->asked, "the page is written back");
}

/* Has the page read, which is not there. */
static void ask_to_read(struct paged *p)
{
	if (p->cookie)
		return;
	expect(swap_out((uintptr_t)p->va), "the page goes");
	sys_ntfn_signal(p->ntfn, TOUCH);
	expect(wait_for(p, REQUEST, PATIENCE_NS), "the page is asked for");
	take(p);
}

static bool paged_setup(struct paged *p)
{
	long h, va;

	p->ntfn = (handle_t)sys_ntfn_create();
	h = sys_pager_create(p->ntfn, BIT_REQUEST, 1, 0, &p->mem);
	p->pager = (handle_t)h;
	va = sys_mem_map(startup->self, p->mem, 0, 0, 1, READ_WRITE);
	p->va = (volatile uint64_t *)va;
	return h > 0 && va > 0 && uthread_start(touch, p, -1);
}

/* --- what is at the pointers ---------------------------------------------- */
static void fill_text(uint8_t *to)
{
	memcpy(to, TEXT, TEXT_BYTES);
}

static void fill_quota(uint8_t *to)
{
	const struct weir_quota q = { .frames = LIMIT };

	memcpy(to, &q, sizeof(q));
}

static void fill_page(uint8_t *to)
{
	for (unsigned i = 0; i < PAGE; i++)
		to[i] = (uint8_t)(i * 7 + 1);
}

static bool is_system(const uint8_t *from)
{
	struct weir_system s, now;

	memcpy(&s, from, sizeof(s));
	system_read(&now);
	return s.cpus == now.cpus && s.frames_total == now.frames_total &&
	       s.swap_total == now.swap_total && s.seed == now.seed;
}

static bool is_info(const uint8_t *from)
{
	struct weir_object_info i;

	memcpy(&i, from, sizeof(i));
	return i.type == WEIR_OBJ_NTFN && i.rights == WEIR_R_ALL;
}

static bool is_request(const uint8_t *from)
{
	memcpy(&request, from, sizeof(request));
	return request.kind == WEIR_PAGER_WRITE && request.page == 0 &&
	       request.cookie == kept.cookie;
}

static bool is_kept(const uint8_t *from)
{
	uint64_t first[2];

	memcpy(first, from, sizeof(first));
	return first[0] == 0 && first[1] != 0;
}

/* --- the calls ------------------------------------------------------------ */
static void ready_task_create(uint64_t v[NARGS])
{
	v[1] = (uintptr_t)TEXT;
	v[2] = TEXT_BYTES;
}

static bool undo_task_create(uint64_t v[NARGS], long result)
{
	struct weir_object_info i;
	bool good = sys_object_info((handle_t)result, &i, sizeof(i)) == 0 &&
		    i.task.limit.frames == (v[4] ? LIMIT : 0);

	return sys_handle_close((handle_t)result) == 0 && good;
}

static void ready_klog(uint64_t v[NARGS])
{
	v[1] = TEXT_BYTES;
}

static void ready_report(uint64_t v[NARGS])
{
	v[0] = WEIR_REPORT_NOTE;
	v[2] = TEXT_BYTES;
}

static void ready_sys_info(uint64_t v[NARGS])
{
	v[0] = WEIR_INFO_SYSTEM;
	v[3] = sizeof(struct weir_system);
}

static void ready_object_info(uint64_t v[NARGS])
{
	v[0] = ntfn;
	v[2] = sizeof(struct weir_object_info);
}

static void ready_pager_next(uint64_t v[NARGS])
{
	if (!kept.asked)
		ask_to_keep(&kept);
	v[0] = kept.pager;
	v[1] = (uintptr_t)&request;
	v[2] = (uintptr_t)bytes;
}

static bool undo_pager_next(uint64_t v[NARGS], long result)
{
	(void)v, (void)result; /* the request may lie where it is gone */
	kept.cookie = ++kept.last;
	kept.asked = false;
	return true;
}

static void ready_pager_done(uint64_t v[NARGS])
{
	ask_to_read(&source);
	v[0] = source.pager;
	v[1] = source.cookie;
}

/* Who touched the page has the bytes. */
static bool undo_pager_done(uint64_t v[NARGS], long result)
{
	uint64_t word;

	(void)v, (void)result;
	source.cookie = 0;
	fill_page(bytes);
	memcpy(&word, bytes + 8, sizeof(word));
	return wait_for(&source, TOUCHED, PATIENCE_NS) && source.seen == word;
}

static bool undo_nothing(uint64_t v[NARGS], long result)
{
	(void)v;
	return result == 0;
}

static bool undo_sys_info(uint64_t v[NARGS], long result)
{
	return result == (long)v[3];
}

#define TARGET(call, n, s, ...) \
	{ .nr = WEIR_SYS_##call, .arg = n, .size = s, \
	  .ready = ready_##call, __VA_ARGS__ }
static const struct target targets[] = {
	TARGET(task_create, 1, TEXT_BYTES, .use = USE_READ, .fill = fill_text,
	       .undo = undo_task_create),
	TARGET(task_create, 4, sizeof(struct weir_quota), .use = USE_READ,
	       .fill = fill_quota, .optional = true, .undo = undo_task_create),
	TARGET(klog, 0, TEXT_BYTES, .use = USE_READ, .fill = fill_text,
	       .undo = undo_nothing),
	TARGET(report, 1, TEXT_BYTES, .use = USE_READ, .fill = fill_text,
	       .undo = undo_nothing),
	TARGET(sys_info, 2, sizeof(struct weir_system), .use = USE_WRITTEN,
	       .is_right = is_system, .undo = undo_sys_info),
	TARGET(pager_next, 1, sizeof(struct weir_pager_request),
	       .use = USE_WRITTEN, .is_right = is_request,
	       .undo = undo_pager_next),
	TARGET(pager_next, 2, PAGE, .use = USE_WRITTEN, .is_right = is_kept,
	       .undo = undo_pager_next),
	TARGET(pager_done, 2, PAGE, .use = USE_READ, .fill = fill_page,
	       .optional = true, .undo = undo_pager_done),
	TARGET(object_info, 1, sizeof(struct weir_object_info),
	       .use = USE_WRITTEN, .is_right = is_info, .undo = undo_nothing),
};

const struct target *calls_find(unsigned nr, unsigned arg)
{
	for (unsigned i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		if (targets[i].nr == nr && targets[i].arg == arg)
			return &targets[i];
	return NULL;
}

long call_with(const struct target *t, uint64_t pointer)
{
	uint64_t v[NARGS] = { 0 };
	long result;

	t->ready(v);
	v[t->arg] = pointer;
	result = weir_syscall(t->nr, v[0], v[1], v[2], v[3], v[4], v[5]);
	if (result >= 0)
		expect(t->undo(v, result), "the call did what it should");
	return result;
}

bool call_right(const struct target *t, long result, const uint8_t *at)
{
	return result >= 0 && (t->use == USE_READ || t->is_right(at));
}

/* --- the start and the end ------------------------------------------------ */
bool calls_setup(void)
{
	ntfn = (handle_t)sys_ntfn_create();
	if (!paged_setup(&kept) || !paged_setup(&source))
		return false;
	handles_before = account_handles();
	return true;
}

bool calls_end(void)
{
	return account_handles() == handles_before;
}
