/*
 * ramdisk.c - the swap device: memory that pretends to be a disk.
 *
 * Each IO becomes due after a random delay of its own (delay=, from seed=),
 * so IOs overlap and end in any order, as on a real disk; a thread of the
 * device does the copying then, but for a read that is due at once. That
 * makes the window between unmap, copy and free real. Which one fails is
 * settled when it is submitted; one that is stuck does so at its deadline.
 * Owns the queue, ordered by due time. Locks: disk_lock; the wait queue
 * under it.
 */
#include "kernel/param.h"
#include "kernel/sync.h"
#include "mm/kmalloc.h"
#include "mm/point.h"
#include "mm/swap.h"

#define PRIO 30
#define DEADLINE_NS 1000000000ull
#define AT_ONCE 1 /* due_ns */
#define SLOW_US 20000 /* more than the delay, at most */
#define MIB_ORDER 8u /* of its blocks */
#define MIB_PAGES (1u << MIB_ORDER)

/* Constant after ramdisk_init. */
static char **blocks; /* of a MiB each */

static struct spinlock disk_lock = SPINLOCK_INIT(ramdisk);
/* Under disk_lock, by due_ns. */
static struct pageio_list queue = TAILQ_HEAD_INITIALIZER(queue);
static uint64_t rng; /* under disk_lock; never 0 */
/* The thread sleeps until one is due. */
static struct waitq work = WAITQ_INIT(work);

/* When an IO that is submitted now is due, and whether it will fail. Holds
 * disk_lock. */
static uint64_t due_time(struct pageio *io)
{
	uint64_t max = __atomic_load_n(&params.delay_us, __ATOMIC_RELAXED);
	bool stuck = io->write ? INJECT("swap-stuck-write") :
				 INJECT_TASK("swap-stuck-read", 0);

	if (stuck || (io->write ? INJECT("swap-write") :
				  INJECT_TASK("swap-read", 0)))
		io->status = -WEIR_EIO;
	if (stuck)
		return time_ns() + DEADLINE_NS;
	if (INJECT("swap-order"))
		return 0; /* before all that wait */
	if (INJECT("swap-slow"))
		max += SLOW_US;
	if (!max)
		return AT_ONCE;
	rng ^= rng << 13; /* xorshift64 */
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return time_ns() + rng % (max * 1000 + 1);
}

/* Its place in the queue: behind all that are due before it, or at the same
 * time. Holds disk_lock. */
static void enqueue(struct pageio *io)
{
	struct pageio *at;

	TAILQ_FOREACH_REVERSE (at, &queue, pageio_list, link)
		if (at->due_ns <= io->due_ns)
			break;
	if (at)
		TAILQ_INSERT_AFTER(&queue, at, io, link);
	else
		TAILQ_INSERT_HEAD(&queue, io, link);
}

static void transfer(struct pageio *io)
{
	uint32_t n = io->slot - 1;
	char *page = blocks[n / MIB_PAGES] + n % MIB_PAGES * WEIR_PAGE_SIZE;
	char *memory = frame_kva(io->frame);
	char *to = io->write ? page : memory, *from = io->write ? memory : page;

	if (io->status)
		return;
	memcpy(to, from, WEIR_PAGE_SIZE / 2);
	point(WEIR_POINT_copy);
	memcpy(to + WEIR_PAGE_SIZE / 2, from + WEIR_PAGE_SIZE / 2,
	       WEIR_PAGE_SIZE / 2);
}

bool ramdisk_submit(struct pageio *io)
{
	spin_lock(&disk_lock);
	io->due_ns = due_time(io);
	bool now = !io->write && io->due_ns == AT_ONCE;
	if (!now)
		enqueue(io);
	spin_unlock(&disk_lock);
	if (now)
		transfer(io);
	else if (!io->write)
		ramdisk_kick();
	return now;
}

void ramdisk_kick(void)
{
	spin_lock(&disk_lock);
	waitq_wake(&work, 1);
	spin_unlock(&disk_lock);
}

/* The first IO in the queue, once it is due. Sleeps; whatever is submitted
 * meanwhile may be due earlier, and wakes it. */
static struct pageio *next_due(void)
{
	struct pageio *io;

	spin_lock(&disk_lock);
	while (!(io = TAILQ_FIRST(&queue)) ||
	       (io->due_ns > AT_ONCE && io->due_ns > time_ns())) {
		waitq_sleep_until(&work, &disk_lock, io ? io->due_ns : 0);
		spin_lock(&disk_lock);
	}
	TAILQ_REMOVE(&queue, io, link);
	spin_unlock(&disk_lock);
	return io;
}

static void ramdisk_thread(void *arg)
{
	for (;;) {
		struct pageio *io = next_due();

		transfer(io);
		pageio_end(io); /* io may be gone now */
		cond_resched();
	}
}

bool ramdisk_init(uint64_t mib)
{
	blocks = (kzalloc)(mib * sizeof(*blocks));
	for (uint64_t i = 0; blocks && i < mib; i++) {
		blocks[i] = frame_carve(MIB_ORDER);
		if (!blocks[i])
			return false;
	}
	rng = params.seed ? params.seed : 1;
	return blocks;
}

void ramdisk_start(void)
{
	thread_create_kernel("ramdisk", ramdisk_thread, NULL, PRIO);
}
