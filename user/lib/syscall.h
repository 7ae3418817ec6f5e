/*
 * syscall.h - one inline function per system call, sys_NAME.
 *
 * Each returns what the kernel returns: 0 or more for success, a negative
 * WEIR_E... otherwise; docs/syscalls.md says what each does. The IPC calls
 * carry a struct weir_msg in registers.
 * Nothing here touches memory of its own, so any thread may call anything,
 * even one without a stack guard or a TCB. Contract: kernel/abi/weir.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernel/abi/weir.h"

static inline long weir_syscall(long nr, uint64_t a, uint64_t b, uint64_t c,
				uint64_t d, uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret), "+D"(a), "+S"(b), "+d"(c), "+r"(r10),
			   "+r"(r8), "+r"(r9)
			 : "0"(nr)
			 : "rcx", "r11", "memory");
	return ret;
}

/* A message out and, where `m` is not const for the call, one back in. */
static inline long weir_ipc(long nr, handle_t ep, struct weir_msg *m)
{
	register uint64_t r10 __asm__("r10") = m->w[0];
	register uint64_t r8 __asm__("r8") = m->w[1];
	register uint64_t r9 __asm__("r9") = m->w[2];
	register uint64_t r12 __asm__("r12") = m->w[3];
	register uint64_t r13 __asm__("r13") = m->w[4];
	uint64_t rdi = ep, rsi = m->label, rdx = m->handle;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret), "+D"(rdi), "+S"(rsi), "+d"(rdx),
			   "+r"(r10), "+r"(r8), "+r"(r9), "+r"(r12),
			   "+r"(r13)
			 : "0"(nr)
			 : "rcx", "r11", "memory");
	*m = (struct weir_msg){
		.label = rsi,
		.w = { r10, r8, r9, r12, r13 },
		.handle = (handle_t)rdx,
		.badge = rdi,
	};
	return ret;
}

/* --- the calls with more registers than C has room for -------------------- */
static inline long sys_ipc_call(handle_t ep, struct weir_msg *m)
{
	return weir_ipc(WEIR_SYS_ipc_call, ep, m);
}

static inline long sys_ipc_recv(handle_t ep, struct weir_msg *m)
{
	*m = (struct weir_msg){ 0 };
	return weir_ipc(WEIR_SYS_ipc_recv, ep, m);
}

static inline long sys_ipc_reply_recv(handle_t ep, struct weir_msg *m)
{
	return weir_ipc(WEIR_SYS_ipc_reply_recv, ep, m);
}

static inline long sys_ipc_reply(const struct weir_msg *m)
{
	struct weir_msg copy = *m;

	return weir_ipc(WEIR_SYS_ipc_reply, 0, &copy);
}

static inline long sys_ntfn_wait(handle_t ntfn, uint64_t mask,
				 uint64_t deadline_ns, uint64_t *bits)
{
	uint64_t rdi = ntfn, rsi = mask, rdx = deadline_ns;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret), "+D"(rdi), "+S"(rsi), "+d"(rdx)
			 : "0"((long)WEIR_SYS_ntfn_wait)
			 : "rcx", "r8", "r9", "r10", "r11", "memory");
	if (bits)
		*bits = ret < 0 ? 0 : rdx;
	return ret;
}

static inline long sys_pager_create(handle_t ntfn, unsigned bit,
				    uint64_t npages, uint64_t deadline_ns,
				    handle_t *mem)
{
	register uint64_t r10 __asm__("r10") = deadline_ns;
	uint64_t rdi = ntfn, rsi = bit, rdx = npages;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret), "+D"(rdi), "+S"(rsi), "+d"(rdx),
			   "+r"(r10)
			 : "0"((long)WEIR_SYS_pager_create)
			 : "rcx", "r8", "r9", "r11", "memory");
	*mem = ret < 0 ? 0 : (handle_t)rdx;
	return ret;
}

/* --- all others, from the table ------------------------------------------ */
#define STUB(name, params, ...)                                         \
	static inline long sys_##name params                            \
	{                                                               \
		return weir_syscall(WEIR_SYS_##name, __VA_ARGS__);      \
	}
#define W(arg) ((uint64_t)(arg))
#define STUB0(name) \
	STUB(name, (void), 0, 0, 0, 0, 0, 0)
#define STUB1(name, ta, a) \
	STUB(name, (ta a), W(a), 0, 0, 0, 0, 0)
#define STUB2(name, ta, a, tb, b) \
	STUB(name, (ta a, tb b), W(a), W(b), 0, 0, 0, 0)
#define STUB3(name, ta, a, tb, b, tc, c) \
	STUB(name, (ta a, tb b, tc c), W(a), W(b), W(c), 0, 0, 0)
#define STUB4(name, ta, a, tb, b, tc, c, td, d) \
	STUB(name, (ta a, tb b, tc c, td d), W(a), W(b), W(c), W(d), 0, 0)
#define STUB5(name, ta, a, tb, b, tc, c, td, d, te, e) \
	STUB(name, (ta a, tb b, tc c, td d, te e),     \
	     W(a), W(b), W(c), W(d), W(e), 0)
#define STUB6(name, ta, a, tb, b, tc, c, td, d, te, e, tf, f) \
	STUB(name, (ta a, tb b, tc c, td d, te e, tf f),      \
	     W(a), W(b), W(c), W(d), W(e), W(f))
/* Behind twice as many arguments as the call has stands its stub's number. */
#define NTH(_0, _1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, nth, ...) nth
#define SYSCALL(nr, name, object, right, ...)                           \
	NTH(0, ##__VA_ARGS__, STUB6, , STUB5, , STUB4, , STUB3, , STUB2, , \
	    STUB1, , STUB0)(name, ##__VA_ARGS__)
#define SYSCALL_REGS(...)
#include "kernel/abi/syscalls.def"
#undef STUB
#undef W
