/*
 * init.c - the first task.
 *
 * The kernel knows no ELF: init is a flat image that says in its header
 * what is code, data and zeroes (abi/weir.h). It is copied into anonymous
 * memory, so it can be reclaimed like any other program's. What it gets:
 * itself, the initrd, and the handles for drivers.
 */
#include "arch/x86_64/acpi.h"
#include "boot/bootinfo.h"
#include "kernel/syscall.h"
#include "mm/aspace.h"

#define STACK_TOP 0x7fffffe00000ull
#define STACK_PAGES 64u

#define ALL_PORTS 0x10000u

static void need(bool there)
{
	if (!there)
		panic("init: out of memory");
}

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes + WEIR_PAGE_SIZE - 1) / WEIR_PAGE_SIZE;
}

static const struct boot_module *find_module(const char *name)
{
	for (unsigned i = 0; i < boot_info.nmodules; i++)
		if (strcmp(boot_info.module[i].name, name) == 0)
			return &boot_info.module[i];
	return NULL;
}

/* The header of the image `m`, once it is known to make sense. */
static const struct weir_init_header *check_image(const struct boot_module *m)
{
	const struct weir_init_header *h = KVA(m->pa);
	const uint64_t base = WEIR_INIT_BASE;

	if (m->len < sizeof(*h))
		panic("init is truncated: %lu bytes", m->len);
	if (h->magic != WEIR_INIT_MAGIC)
		panic("init is corrupt: it does not begin with WEIRINIT");
	if ((h->text_end | h->data_end | h->bss_end) % WEIR_PAGE_SIZE ||
	    h->text_end <= base || h->data_end < h->text_end ||
	    h->bss_end < h->data_end || h->bss_end > base + (64u << 20) ||
	    h->entry < base || h->entry >= h->text_end)
		panic("init is corrupt: its header makes no sense");
	if (pages_of(m->len) < (h->data_end - base) / WEIR_PAGE_SIZE)
		panic("init is truncated: %lu bytes of %lu", m->len,
		      h->data_end - base);
	return h;
}

/* Maps fresh memory in the new task at [start, end). */
static void map_anon(struct aspace *as, uint64_t start, uint64_t end)
{
	uint64_t npages = (end - start) / WEIR_PAGE_SIZE;

	if (npages == 0)
		return;
	struct memobj *obj = memobj_create(npages, NULL, NULL);
	need(obj && !aspace_map(as, obj, 0, &start, npages,
				WEIR_P_READ | WEIR_P_WRITE,
				WEIR_P_READ | WEIR_P_WRITE | WEIR_P_EXEC));
	memobj_put(obj);
}

static handle_t give(struct task *task, enum weir_object type, void *object,
		     unsigned rights)
{
	struct cap cap = { .type = type, .rights = rights, .object = object };
	int64_t h = object ? handle_insert(&task->handles, cap) : -1;

	need(h > 0);
	return h;
}

/* The initrd as a memory object; *size is its length. */
static handle_t give_initrd(struct task *task, uint64_t *size)
{
	const struct boot_module *m = find_module("initrd");

	if (!m || !m->len)
		return 0; /* init says so */
	if (m->pa % WEIR_PAGE_SIZE)
		panic("initrd is not at a page boundary: %lx", m->pa);
	uint64_t npages = pages_of(m->len);
	memset((char *)KVA(m->pa) + m->len, 0,
	       npages * WEIR_PAGE_SIZE - m->len);
	*size = m->len;
	return give(task, WEIR_OBJ_MEM, memobj_create_wired(m->pa, npages),
		    WEIR_R_READ | WEIR_R_DUP);
}

/* Gives init what it starts with; returns where on its stack that is said. */
static uint64_t give_first(struct task *task)
{
	const unsigned device = WEIR_R_MANAGE | WEIR_R_DUP;
	struct weir_first first = { 0 };
	const uint64_t at = STACK_TOP - sizeof(first);

	object_get(&task->object);
	first.self = give(task, WEIR_OBJ_TASK, task, WEIR_R_ALL);
	first.initrd = give_initrd(task, &first.initrd_size);
	for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
		first.irq[i] = give(task, WEIR_OBJ_IRQ, irq_open(i), device);
	first.ports = give(task, WEIR_OBJ_PORTS, ports_create(0, ALL_PORTS),
			   device);
	need(!copy_to_user(at, &first, sizeof(first)));
	return at;
}

void init_start(void)
{
	const struct boot_module *m = find_module("init");
	const uint64_t base = WEIR_INIT_BASE;
	struct thread *t;

	if (!m)
		panic("init is missing: the boot loader passed no module "
		      "'init'");
	const struct weir_init_header *h = check_image(m);
	struct task *task = task_create(NULL, (struct cap){ 0 }, "init", true,
					NULL);
	need(task);
	task->as->system = true;
	thread_use_space(task->as);
	map_anon(task->as, base, h->text_end);
	map_anon(task->as, h->text_end, h->bss_end);
	uint64_t bytes = h->data_end - base;
	need(!copy_to_user(base, h, bytes < m->len ? bytes : m->len));
	/* Executable when it is no longer writable. */
	if (aspace_protect(task->as, base, pages_of(h->text_end - base),
			   WEIR_P_READ | WEIR_P_EXEC))
		panic("init: its code cannot be protected");
	map_anon(task->as, STACK_TOP - STACK_PAGES * WEIR_PAGE_SIZE, STACK_TOP);
	uint64_t first = give_first(task);
	thread_use_space(NULL);
	need(!thread_create_user(task, h->entry, first, first, &t));
	object_put(&t->object);
	object_put(&task->object);
}
