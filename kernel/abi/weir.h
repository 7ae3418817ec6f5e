/*
 * weir.h - the system-call interface, shared by the kernel and user programs.
 *
 * Calling convention: number in RAX; arguments in RDI RSI RDX R10 R8 R9;
 * SYSCALL; status (0 or more: success, below 0: -E...) in RAX, a second
 * result, where a call has one, in RDX. RCX and R11 are destroyed.
 * IPC calls carry the message in registers instead, both ways:
 *   RDI endpoint handle (out: badge)   RSI label   RDX moved handle (0: none)
 *   R10 R8 R9 R12 R13  the five words
 * The list of calls is syscalls.def; the counters are counters.def.
 */
#pragma once

#include <stdint.h>

#define WEIR_PAGE_SIZE 4096ull

/* User addresses: [USER_BASE, USER_TOP). The page below 64 KiB and the last
 * page under the canonical hole stay unmapped. */
#define WEIR_USER_BASE 0x10000ull
#define WEIR_USER_TOP 0x00007fffffffe000ull

typedef uint32_t handle_t; /* 0 is never a valid handle */

enum weir_error {
	WEIR_OK = 0,
	WEIR_EHANDLE,  /* no such handle, or of the wrong type */
	WEIR_ERIGHTS,  /* the handle lacks the right */
	WEIR_EINVAL,   /* an argument is out of its range */
	WEIR_ENOMEM,   /* out of frames, swap or kernel memory */
	WEIR_EFAULT,   /* a user pointer is bad */
	WEIR_EPEER,    /* the other side is gone */
	WEIR_ETIMEOUT, /* the deadline passed */
	WEIR_EFULL,    /* a table or quota is full */
	WEIR_EBUSY,    /* in use, or in a state that forbids it */
	WEIR_ENOSYS,   /* no such system call */
	WEIR_EPERM,    /* only a privileged task may do this */
	WEIR_EIO,      /* a device failed */
};

/* Rights on a handle; handle_dup and handle_give can only take away. */
enum weir_right {
	WEIR_R_READ = 1 << 0,   /* memory: map readable; endpoint: receive */
	WEIR_R_WRITE = 1 << 1,  /* memory: map writable, pin; endpoint: call;
				 * notification: signal */
	WEIR_R_EXEC = 1 << 2,   /* memory: map executable */
	WEIR_R_MANAGE = 1 << 3, /* task, thread: control; irq, ports: use */
	WEIR_R_WAIT = 1 << 4,   /* notification: wait */
	WEIR_R_DUP = 1 << 5,    /* the handle may be duplicated or moved */
	WEIR_R_ALL = (1 << 6) - 1,
};

/* mem_create flags */
/* For devices: there at once, in one piece of physical memory, never taken
 * away. Only for a system task. */
#define WEIR_MEM_WIRED 1u

/* mem_map and mem_protect: what the pages may be used for. */
enum weir_prot { WEIR_P_READ = 1, WEIR_P_WRITE = 2, WEIR_P_EXEC = 4 };

struct weir_msg {
	uint64_t label;
	uint64_t w[5];
	handle_t handle; /* moved along with the message; 0: none */
	uint64_t badge;  /* received: the badge of the sender's handle */
};

/* Messages that the kernel sends to a task's fault endpoint. A task that runs
 * out of memory is killed unasked: its exit status is -WEIR_ENOMEM. */
#define WEIR_MSG_FAULT 0xfffffff1ull /* w: kind, address, rip, error, tid */
#define WEIR_MSG_EXIT 0xfffffff2ull  /* w: exit status (int64) */
/* Kinds of fault; a reply with label 0 retries, any other kills the task. */
enum weir_fault {
	WEIR_FAULT_PAGE = 1, /* no mapping, or not permitted */
	WEIR_FAULT_NOMEM,    /* memory and swap are exhausted (no message) */
	WEIR_FAULT_IO,       /* the swap device failed to give the page back */
	WEIR_FAULT_CPU,      /* illegal instruction, ...: error = vector */
	WEIR_FAULT_LIMIT,    /* one page more than a quota allows */
};

/* What pager_next tells: the page of the object that a fault waits for, or
 * whose bytes must be kept (WRITE). The cookie goes into pager_done. */
enum weir_pager_kind { WEIR_PAGER_READ = 1, WEIR_PAGER_WRITE };
struct weir_pager_request {
	uint64_t cookie, page;
	uint32_t kind, reserved;
};

/* task_create flags */
/* May use sys_ctl; only from a privileged task. */
#define WEIR_TASK_PRIVILEGED 1u
/* The system cannot go on without it: it may use the last frames, which a
 * task that takes all memory does not get. Only from a system task. */
#define WEIR_TASK_SYSTEM 2u
/* The pages that it touches stay in memory, for the system needs it to find
 * memory. Only from a system task. */
#define WEIR_TASK_PINNED 4u

/* What a task and those that it makes may have at most; 0: no limit. */
struct weir_quota {
	uint64_t frames;  /* pages that hold something, in memory or in swap,
			   * of its objects; tables for what it maps */
	uint64_t handles; /* in their tables */
	uint64_t threads;
};

/* thread_ctl operations (on a Thread handle; 0 names the calling thread) */
enum weir_thread_op {
	WEIR_THREAD_FSBASE = 1, /* arg: new FS base; calling thread only */
	WEIR_THREAD_PRIO,       /* arg: 0 (lowest) to 31 */
	WEIR_THREAD_AFFINITY,   /* arg: CPU mask; CPUs that exist, not empty */
	WEIR_THREAD_YIELD,      /* calling thread only */
	WEIR_THREAD_CPU,        /* result: the CPU it runs on; calling thread */
	WEIR_THREAD_SUSPEND,    /* it does not return to user mode ... */
	WEIR_THREAD_RESUME,     /* ... until then */
};

/* dev_irq operations */
enum weir_irq_op {
	WEIR_IRQ_BIND = 1, /* ntfn, bit number: signal it on each interrupt */
	WEIR_IRQ_ACK,      /* unmask it again; see docs/syscalls.md */
};

/* report: records on COM2, the test protocol (docs/protocol.md) */
enum weir_report { WEIR_REPORT_OUT = 1, WEIR_REPORT_NOTE };

/* sys_ctl operations (privileged) */
enum weir_ctl {
	WEIR_CTL_POWEROFF = 1, /* arg: status 0..99; does not return */
	WEIR_CTL_POLICY,       /* arg: enum weir_policy; drains open batches */
	WEIR_CTL_BATCH,        /* arg: frames per reclaim batch, 1..256 */
	WEIR_CTL_DELAY,        /* arg: longest ramdisk delay, microseconds */
	WEIR_CTL_RECLAIM,      /* arg: frames; reclaim that many now */
	WEIR_CTL_SWAP,         /* arg: a paged object; with swap=virtio its
				* pages but page 0 become swap slots */
	WEIR_CTL_TEST,         /* arg: enum weir_test, arg2 (testing aid) */
	WEIR_CTL_FAULT,        /* arg: number of a struct weir_fault_point;
				* arg2: WEIR_FAULT_RATE */
	WEIR_CTL_READAHEAD,    /* arg: most pages read ahead, 0..16 */
	WEIR_CTL_RANGED,       /* arg: most pages flushed one by one, 0..512 */
};
enum weir_policy {
	WEIR_TLB_IMMEDIATE, WEIR_TLB_BATCH_CLEAN, WEIR_TLB_BATCH_DIRTY,
	WEIR_TLB_TWO_PASS, WEIR_TLB_LAZY, WEIR_NPOLICIES
};
#define WEIR_POLICY_NAMES \
	{ "immediate", "batch-clean", "batch-dirty", "two-pass", "lazy" }

/* sys_info topics: fill one struct (or string) per topic and index. */
enum weir_topic {
	WEIR_INFO_SYSTEM = 1, /* struct weir_system, index 0 */
	WEIR_INFO_TASK,       /* struct weir_task, index 0.. until EINVAL */
	WEIR_INFO_CMDLINE,    /* string: value of run=, "" if none; index 0 */
	WEIR_INFO_COUNTERS,   /* uint64_t[WEIR_NCOUNTERS], index 0 */
	WEIR_INFO_FAULTS,     /* string: value of fault=, as CMDLINE */
	WEIR_INFO_FAULT,      /* struct weir_fault_point, as TASK */
};
struct weir_system {
	uint32_t cpus, policy, batch, delay_us;
	uint64_t frames_total;    /* frames that the allocator manages */
	uint64_t frames_free;     /* or will be, after a flush (lazy) */
	uint64_t frames_reserve;  /* the high watermark */
	uint64_t frames_anon;     /* ACTIVE and INACTIVE */
	uint64_t swap_total, swap_free; /* slots of one page */
	uint64_t seed;            /* of seed= */
	uint64_t swap_virtio;     /* of swap=virtio: 1 */
	uint64_t readahead, ranged; /* WEIR_CTL_READAHEAD, WEIR_CTL_RANGED */
};
/* Where faults may be made on purpose. */
struct weir_fault_point {
	char name[40];
	uint64_t one_in;   /* 0: it is off */
	uint64_t injected; /* faults since boot */
};
/* One in n, at most `times` (0: no limit); n 0: off. With OWN ored what a task
 * asks for, memory or a page to be read, fails in the calling task, even if
 * that is a system task, and in no other. */
#define WEIR_FAULT_RATE(n, times) ((n) | (uint64_t)(times) << 32)
#define WEIR_FAULT_OWN (1ull << 63)
struct weir_task {
	uint32_t id, parent, threads, privileged;
	uint64_t resident; /* pages present in its page tables */
	uint64_t cpu_ns;
	char name[32];
};

/* object_info: what a handle names, and in what state that is. */
enum weir_object {
	WEIR_OBJ_NONE, WEIR_OBJ_TASK, WEIR_OBJ_THREAD, WEIR_OBJ_ENDPOINT,
	WEIR_OBJ_NTFN, WEIR_OBJ_MEM, WEIR_OBJ_IRQ, WEIR_OBJ_PORTS,
	WEIR_OBJ_PAGER
};
enum weir_mem_kind { WEIR_MEM_IS_ANON, WEIR_MEM_IS_PAGED, WEIR_MEM_IS_WIRED };
struct weir_object_info {
	uint32_t type, rights; /* enum weir_object, enum weir_right */
	uint64_t badge;
	union { /* by type; zeros where it has none */
		uint64_t room[12]; /* the size stays when fields are added */
		struct {
			uint64_t npages;
			uint64_t present; /* pages that hold something */
			uint64_t pa;      /* of a wired object's first byte */
			uint64_t refs;    /* handles, mappings; also reclaim */
			uint32_t kind;    /* enum weir_mem_kind */
		} mem;
		struct {
			uint32_t id, threads, alive;
			int64_t status;    /* of its exit */
			uint64_t resident; /* pages in its page tables */
			/* Of it and those that it made without limits of
			 * their own; zeros: nobody gave it a limit. */
			struct weir_quota limit, used;
		} task;
		struct {
			uint32_t id, prio, cpu;
			uint32_t state; /* 0: it runs, or could; else it
					 * waits, is suspended, or dead */
		} thread;
	};
};

/* init is a flat image (the kernel knows no ELF): this header is at its
 * start, at WEIR_INIT_BASE; all fields are addresses, page aligned but for
 * entry and magic. [base, text_end) is mapped R-X, [text_end, data_end) RW-
 * from the file, [data_end, bss_end) RW- zero. Its thread starts with the
 * address of a struct weir_first (RDI), from which down its stack is. */
#define WEIR_INIT_BASE 0x400000ull
#define WEIR_INIT_MAGIC 0x54494e4952494557ull /* "WEIRINIT" */
struct weir_init_header {
	uint64_t magic, entry, text_end, data_end, bss_end;
};
struct weir_first {
	uint64_t initrd_size; /* bytes */
	handle_t self;        /* this task */
	handle_t initrd;      /* MemObj of the tar archive, readable, or 0 */
	handle_t ports;       /* all there are */
	handle_t irq[16];     /* by line: all */
};

enum weir_syscall {
#define SYSCALL(nr, name, object, right, ...) WEIR_SYS_##name = nr,
#include "syscalls.def"
	WEIR_NSYSCALLS
};

enum weir_counter {
#define COUNTER(name, text) WEIR_C_##name,
#include "counters.def"
#undef COUNTER
	WEIR_NCOUNTERS
};
