/*
 * pipe.c - pipes. See pipe.h.
 *
 * Invariant: tail <= head <= tail + PIPE_BYTES. Only who holds the writers'
 * lock moves head, only who holds the readers' moves tail: so at most one
 * thread waits for bytes, and at most one for room. Each side stores its own
 * counter and then loads the other's, in one order for all (seq_cst): who
 * is about to wait sees the change, or who changed it sees that it was the
 * first byte, or the first room, and signals.
 */
#include <string.h>

#include "user/lib/pipe.h"
#include "user/lib/stream.h"

#define READY 1ull  /* bit of a notification: bytes, or room */
#define UNLOCK 2ull /* the lock may be free */
#define CONTENDED 0x80000000u
#define MAKER 0xffu /* parent of the two ends that the maker gives */

static uint64_t load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static void store(uint64_t *p, uint64_t value)
{
	__atomic_store_n(p, value, __ATOMIC_SEQ_CST);
}

static bool is_gone(const struct pipe_ring *ring, enum pipe_side side)
{
	return __atomic_load_n(&ring->gone, __ATOMIC_SEQ_CST) & 1u << side;
}

/* --- the maker ------------------------------------------------------------ */
long pipe_create(struct weir_stream side[2])
{
	struct pipe_ring *ring;
	handle_t mem;
	long ntfn[2];

	ring = pages_map(PIPE_PAGES, &mem);
	if (!ring)
		return -WEIR_ENOMEM;
	ring->parent[1 + PIPE_READER] = MAKER;
	ring->parent[1 + PIPE_WRITER] = MAKER;
	pages_unmap(ring, PIPE_PAGES);
	ntfn[0] = sys_ntfn_create();
	ntfn[1] = sys_ntfn_create();
	for (unsigned i = 0; i < 2; i++)
		side[i] = (struct weir_stream){
			.kind = STREAM_PIPE,
			.id = 1 + i,
			.handle = { mem, ntfn[0] < 0 ? 0 : (handle_t)ntfn[0],
				    ntfn[1] < 0 ? 0 : (handle_t)ntfn[1] },
		};
	if (ntfn[0] >= 0 && ntfn[1] >= 0)
		return 0;
	pipe_free(side);
	return ntfn[0] < 0 ? ntfn[0] : ntfn[1];
}

void pipe_gone(const struct weir_stream side[2], enum pipe_side which)
{
	struct pipe_end end;

	if (pipe_open(&end, &side[which]) < 0)
		return;
	__atomic_or_fetch(&end.ring->gone, 1u << which, __ATOMIC_SEQ_CST);
	sys_ntfn_signal(end.ntfn[!which], READY | UNLOCK);
	pipe_close(&end);
}

void pipe_free(struct weir_stream side[2])
{
	for (unsigned i = 0; i < 3; i++)
		if (side[0].handle[i])
			sys_handle_close(side[0].handle[i]);
	side[0] = side[1] = (struct weir_stream){ 0 };
}

long pipe_open(struct pipe_end *end, const struct weir_stream *stream)
{
	long va = sys_mem_map(startup->self, stream->handle[0], 0, 0,
			      PIPE_PAGES, WEIR_P_READ | WEIR_P_WRITE);

	*end = (struct pipe_end){
		.ring = (struct pipe_ring *)va,
		.ntfn = { stream->handle[1], stream->handle[2] },
		.id = stream->id,
	};
	return va < 0 ? va : 0;
}

void pipe_close(struct pipe_end *end)
{
	pages_unmap(end->ring, PIPE_PAGES);
}

/* --- the lock of a side --------------------------------------------------- */

/* Outcomes: taken free; or marked CONTENDED, so that who drops it signals,
 * and taken, still so marked, after a signal (others may wait, too). */
static long lock(struct pipe_end *e, enum pipe_side side)
{
	uint32_t *word = &e->ring->lock[side], seen = 0;
	uint32_t mine = e->id;
	long error;

	for (;;) {
		seen = 0;
		if (__atomic_compare_exchange_n(word, &seen, mine, false,
						__ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			return 0;
		if (!(seen & CONTENDED) &&
		    !__atomic_compare_exchange_n(word, &seen,
						 seen | CONTENDED, false,
						 __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST))
			continue;
		error = sys_ntfn_wait(e->ntfn[side], UNLOCK, 0, NULL);
		if (error < 0)
			return error;
		mine = e->id | CONTENDED;
	}
}

static void unlock(struct pipe_end *e, enum pipe_side side)
{
	if (__atomic_exchange_n(&e->ring->lock[side], 0, __ATOMIC_SEQ_CST) &
	    CONTENDED)
		sys_ntfn_signal(e->ntfn[side], UNLOCK);
}

uint32_t pipe_id_take(struct pipe_ring *ring, uint32_t id)
{
	uint8_t seen;

	for (uint32_t i = 3; i < PIPE_IDS; i++) {
		seen = 0;
		if (__atomic_compare_exchange_n(&ring->parent[i], &seen,
						(uint8_t)id, false,
						__ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			return i;
	}
	return 0;
}

/* Is `id` that one, or one of its descendants? */
static bool below(const struct pipe_ring *ring, uint32_t id, uint32_t top)
{
	for (unsigned depth = 0; depth < PIPE_IDS; depth++) {
		if (id == top)
			return true;
		if (id == 0 || id >= PIPE_IDS)
			return false;
		id = __atomic_load_n(&ring->parent[id], __ATOMIC_SEQ_CST);
	}
	return false;
}

void pipe_id_drop(struct pipe_end *end, uint32_t id)
{
	struct pipe_ring *ring = end->ring;
	uint64_t free = 0;

	for (unsigned side = 0; side < 2; side++) {
		uint32_t seen = __atomic_load_n(&ring->lock[side],
						__ATOMIC_SEQ_CST);

		if (seen && below(ring, seen & ~CONTENDED, id))
			__atomic_compare_exchange_n(&ring->lock[side], &seen,
						    0, false,
						    __ATOMIC_SEQ_CST,
						    __ATOMIC_SEQ_CST);
		/* It may have died with a signal that it had just taken. */
		sys_ntfn_signal(end->ntfn[side], READY | UNLOCK);
	}
	for (uint32_t i = 3; i < PIPE_IDS; i++)
		free |= below(ring, i, id) ? 1ull << i : 0;
	for (uint32_t i = 3; i < PIPE_IDS; i++)
		if (free & 1ull << i)
			__atomic_store_n(&ring->parent[i], 0,
					 __ATOMIC_SEQ_CST);
}

/* --- bytes ---------------------------------------------------------------- */

/* Copies between the ring, at its byte `at`, and `bytes`. */
static void copy(struct pipe_ring *ring, uint64_t at, void *bytes, size_t n,
		 bool in)
{
	size_t from = at % PIPE_BYTES;
	size_t first = n < PIPE_BYTES - from ? n : PIPE_BYTES - from;

	if (in) {
		memcpy(ring->bytes + from, bytes, first);
		memcpy(ring->bytes, (char *)bytes + first, n - first);
	} else {
		memcpy(bytes, ring->bytes + from, first);
		memcpy((char *)bytes + first, ring->bytes, n - first);
	}
}

/* Holds the readers' lock. */
static long read_locked(struct pipe_end *e, void *to, size_t size)
{
	struct pipe_ring *ring = e->ring;
	uint64_t tail = load(&ring->tail), n;
	long error;

	for (;;) {
		bool last = is_gone(ring, PIPE_WRITER);

		n = load(&ring->head) - tail;
		if (n > PIPE_BYTES)
			return -WEIR_EIO;
		if (n || last)
			break;
		error = sys_ntfn_wait(e->ntfn[PIPE_READER], READY, 0, NULL);
		if (error < 0)
			return error;
	}
	if (n > size)
		n = size;
	copy(ring, tail, to, n, false);
	store(&ring->tail, tail + n);
	if (n && load(&ring->head) - tail == PIPE_BYTES)
		sys_ntfn_signal(e->ntfn[PIPE_WRITER], READY);
	return (long)n;
}

long pipe_read(struct pipe_end *end, void *to, size_t size)
{
	long n = lock(end, PIPE_READER);

	if (n < 0)
		return n;
	n = read_locked(end, to, size);
	unlock(end, PIPE_READER);
	return n;
}

/* Holds the writers' lock. */
static long write_locked(struct pipe_end *e, const char *from, size_t size)
{
	struct pipe_ring *ring = e->ring;
	uint64_t head = load(&ring->head), room;
	long error;

	while (size) {
		room = PIPE_BYTES - (head - load(&ring->tail));
		if (is_gone(ring, PIPE_READER))
			return -WEIR_EPEER;
		if (room > PIPE_BYTES)
			return -WEIR_EIO;
		if (room == 0) {
			error = sys_ntfn_wait(e->ntfn[PIPE_WRITER], READY, 0,
					      NULL);
			if (error < 0)
				return error;
			continue;
		}
		if (room > size)
			room = size;
		copy(ring, head, (char *)from, room, true);
		head += room;
		store(&ring->head, head);
		if (head - room == load(&ring->tail))
			sys_ntfn_signal(e->ntfn[PIPE_READER], READY);
		from += room;
		size -= room;
	}
	return 0;
}

long pipe_write(struct pipe_end *end, const void *from, size_t size)
{
	long error = lock(end, PIPE_WRITER);

	if (error < 0)
		return error;
	error = write_locked(end, from, size);
	unlock(end, PIPE_WRITER);
	return error;
}
