/*
 * syscall.h - one inline function per system call, sys_NAME.
 *
 * Each returns what the kernel returns: 0 or more for success, a negative
 * WEIR_E... otherwise. The IPC calls carry a struct weir_msg in registers.
 * Nothing here touches memory of its own, so any thread may call anything,
 * even one without a stack guard or a TCB. Contract: kernel/abi/weir.h.
 */
#ifndef USER_SYSCALL_H
#define USER_SYSCALL_H

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

/* --- IPC ------------------------------------------------------------------
 * A call sends *m and waits for the reply, which replaces *m. */
static inline long sys_ipc_call(handle_t ep, struct weir_msg *m)
{
	return weir_ipc(WEIR_SYS_ipc_call, ep, m);
}

static inline long sys_ipc_recv(handle_t ep, struct weir_msg *m)
{
	*m = (struct weir_msg){ 0 };
	return weir_ipc(WEIR_SYS_ipc_recv, ep, m);
}

/* Replies with *m, then waits for the next message. */
static inline long sys_ipc_reply_recv(handle_t ep, struct weir_msg *m)
{
	return weir_ipc(WEIR_SYS_ipc_reply_recv, ep, m);
}

static inline long sys_ipc_reply(const struct weir_msg *m)
{
	struct weir_msg copy = *m;

	return weir_ipc(WEIR_SYS_ipc_reply, 0, &copy);
}

static inline long sys_ep_create(void)
{
	return weir_syscall(WEIR_SYS_ep_create, 0, 0, 0, 0, 0, 0);
}

/* --- notifications ------------------------------------------------------- */
static inline long sys_ntfn_create(void)
{
	return weir_syscall(WEIR_SYS_ntfn_create, 0, 0, 0, 0, 0, 0);
}

static inline long sys_ntfn_signal(handle_t ntfn, uint64_t bits)
{
	return weir_syscall(WEIR_SYS_ntfn_signal, ntfn, bits, 0, 0, 0, 0);
}

/* Waits for any bit of `mask` until the clock says `deadline_ns` (0: for
 * ever); takes the bits. *bits (may be NULL) gets those that were taken. */
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

/* --- handles ------------------------------------------------------------- */
static inline long sys_handle_dup(handle_t h, unsigned rights, uint64_t badge)
{
	return weir_syscall(WEIR_SYS_handle_dup, h, rights, badge, 0, 0, 0);
}

static inline long sys_handle_close(handle_t h)
{
	return weir_syscall(WEIR_SYS_handle_close, h, 0, 0, 0, 0, 0);
}

static inline long sys_handle_give(handle_t task, handle_t h, unsigned rights)
{
	return weir_syscall(WEIR_SYS_handle_give, task, h, rights, 0, 0, 0);
}

/* --- tasks and threads --------------------------------------------------- */
static inline long sys_task_create(handle_t fault_ep, const char *name,
				   size_t length, unsigned flags)
{
	return weir_syscall(WEIR_SYS_task_create, fault_ep, (uintptr_t)name,
			    length, flags, 0, 0);
}

static inline long sys_task_kill(handle_t task, int64_t status)
{
	return weir_syscall(WEIR_SYS_task_kill, task, (uint64_t)status, 0, 0,
			    0, 0);
}

static inline long sys_thread_create(handle_t task, uint64_t ip, uint64_t sp,
				     uint64_t arg)
{
	return weir_syscall(WEIR_SYS_thread_create, task, ip, sp, arg, 0, 0);
}

static inline void __attribute__((noreturn)) sys_thread_exit(void)
{
	weir_syscall(WEIR_SYS_thread_exit, 0, 0, 0, 0, 0, 0);
	__builtin_unreachable();
}

static inline long sys_thread_ctl(handle_t thread, enum weir_thread_op op,
				  uint64_t arg)
{
	return weir_syscall(WEIR_SYS_thread_ctl, thread, op, arg, 0, 0, 0);
}

/* --- memory -------------------------------------------------------------- */
static inline long sys_mem_create(uint64_t pages)
{
	return weir_syscall(WEIR_SYS_mem_create, pages, 0, 0, 0, 0, 0);
}

/* Returns the address; `va` 0 lets the kernel choose one. */
static inline long sys_mem_map(handle_t task, handle_t mem, uint64_t offset,
			       uint64_t va, uint64_t pages, unsigned prot)
{
	return weir_syscall(WEIR_SYS_mem_map, task, mem, offset, va, pages,
			    prot);
}

static inline long sys_mem_unmap(handle_t task, uint64_t va, uint64_t pages)
{
	return weir_syscall(WEIR_SYS_mem_unmap, task, va, pages, 0, 0, 0);
}

static inline long sys_mem_protect(handle_t task, uint64_t va, uint64_t pages,
				   unsigned prot)
{
	return weir_syscall(WEIR_SYS_mem_protect, task, va, pages, prot, 0, 0);
}

/* --- devices ------------------------------------------------------------- */
static inline long sys_dev_irq(handle_t irq, enum weir_irq_op op,
			       handle_t ntfn, unsigned bit)
{
	return weir_syscall(WEIR_SYS_dev_irq, irq, op, ntfn, bit, 0, 0);
}

static inline long sys_port_in(handle_t ports, uint16_t port, unsigned bytes)
{
	return weir_syscall(WEIR_SYS_port_in, ports, port, bytes, 0, 0, 0);
}

static inline long sys_port_out(handle_t ports, uint16_t port, unsigned bytes,
				uint32_t value)
{
	return weir_syscall(WEIR_SYS_port_out, ports, port, bytes, value, 0,
			    0);
}

/* --- the system ---------------------------------------------------------- */
static inline long sys_klog(const char *text, size_t length)
{
	return weir_syscall(WEIR_SYS_klog, (uintptr_t)text, length, 0, 0, 0,
			    0);
}

static inline long sys_report(enum weir_report kind, const void *bytes,
			      size_t length)
{
	return weir_syscall(WEIR_SYS_report, kind, (uintptr_t)bytes, length,
			    0, 0, 0);
}

static inline long sys_clock(void)
{
	return weir_syscall(WEIR_SYS_clock, 0, 0, 0, 0, 0, 0);
}

static inline long sys_sys_info(enum weir_topic topic, uint64_t index,
				void *buffer, size_t size)
{
	return weir_syscall(WEIR_SYS_sys_info, topic, index,
			    (uintptr_t)buffer, size, 0, 0);
}

static inline long sys_sys_ctl(enum weir_ctl op, uint64_t arg, uint64_t arg2)
{
	return weir_syscall(WEIR_SYS_sys_ctl, op, arg, arg2, 0, 0, 0);
}

#endif
