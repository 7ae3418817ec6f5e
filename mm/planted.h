/*
 * planted.h - bugs that are planted on purpose: the list of them.
 *
 * `make PLANTED=1` builds build/planted/weir.iso, which has them all, and the
 * boot parameter plant=NAME chooses one; tests/mutants.py says which tests
 * must catch it, docs/planted.md what the numbers are. PLANTED(NAME) is for
 * use in an `if`; in any other build it is 0, and no trace of it is left.
 */
#pragma once

#include "kernel/param.h"

/* Z: of translations that outlive their page; L: under tlb=lazy. W: of all
 * else. */
#define PLANTED_BUGS(BUG) \
	BUG(Z1, "IO starts before the flush") \
	BUG(Z2, "frames are freed before the flush") \
	BUG(Z3, "INVLPG of a page number, which is no address") \
	BUG(Z4, "a nested pass resets the outer one's batch") \
	BUG(Z5, "unmap and protect ignore the debts of others") \
	BUG(Z6, "a debt is a boolean, not a generation") \
	BUG(Z7, "debts are looked at before the lock is taken again") \
	BUG(Z8, "the debt is recorded after the lock was let go") \
	BUG(Z9, "a policy is in force while a batch of another is open") \
	BUG(Z10, "pages for a pager are given away without fence 1") \
	BUG(Z11, "debts of an unmap are taken over as those of clean pages") \
	BUG(Z12, "reclaim does not take over the debt of an unmap") \
	BUG(Z13, "an unmapped region is forgotten before its flush") \
	BUG(Z17, "page tables are freed before CPUs have left them") \
	BUG(Z17b, "lazy CPUs are not made to leave page tables") \
	BUG(Z18, "the unmap of wired pages is not flushed") \
	BUG(Z19, "a copy trusts a PTE that is not present") \
	BUG(Z20, "a page is shared before the flush") \
	BUG(Z21, "a PTE without W passes for a page nobody can write") \
	BUG(Z22, "a PTE is read, then cleared") \
	BUG(Z24, "a PTE without A passes for one that no TLB has") \
	BUG(Z25, "D is cleared without a flush") \
	BUG(Z26, "a pass does not see that its page was pinned") \
	BUG(Z26b, "who maps a page alone passes for its only owner") \
	BUG(Z27, "who finds a page on its way in does not wait") \
	BUG(Z28, "an entry names the slot before it is written") \
	BUG(Z29, "a page is written to during its IO") \
	BUG(Z30, "a CPU is in the set only once it is in user mode") \
	BUG(Z31, "a tag is loaded without a look at the generation") \
	BUG(Z32, "a CPU that was lazy does not catch up") \
	BUG(Z33, "a range flush passes for all that is pending") \
	BUG(Z34, "of a range only the first page is flushed") \
	BUG(Z35, "a flush that flushes nothing") \
	BUG(Z36, "the kernel's own accesses do not catch up") \
	BUG(L1, "frames are freed though CPUs have not passed their group") \
	BUG(L2, "a page is written to while an old frame of it is read") \
	BUG(W1, "a reference is lost where a call fails") \
	BUG(W2, "of two waiters only the first is woken") \
	BUG(W3, "the slot of a page that dies stays taken") \
	BUG(W4, "a lent priority is kept") \
	BUG(W5, "a thread may enter a task that is dead") \
	BUG(W6, "a thread's address is not checked") \
	BUG(W7, "only the innermost quota is charged") \
	BUG(W8, "a closed handle names what comes next") \
	BUG(W9, "the client of a dying server is not told") \
	BUG(W10, "a handle whose message fails stays under way") \
	BUG(W11, "who waits for acknowledgements may hold a spinlock")

#define PLANTED_ENUM(name, text) PLANTED_##name,
#define PLANTED_NAME(name, text) #name,
#define PLANTED_NAMES ((const char *const[]){ "", PLANTED_BUGS(PLANTED_NAME) })

#ifdef PLANT
enum planted { PLANTED_NONE, PLANTED_BUGS(PLANTED_ENUM) };
#define PLANTED(name) (params.planted == PLANTED_##name)
#else
#define PLANTED(name) 0
#endif
