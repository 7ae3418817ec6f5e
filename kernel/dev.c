/*
 * dev.c - interrupts and I/O ports for drivers in user space.
 *
 * An interrupt masks itself, before the end of interrupt, and signals a
 * notification. An edge that comes while it is masked is lost, so the driver
 * unmasks it and then serves the device. A level stays: it cannot storm, for
 * it is masked, and it is delivered again when it is unmasked as long as any
 * device holds the line; so the driver first makes its devices let go (all
 * that share the line), unmasks it, and then looks what they have done.
 * irq->lock guards the binding and is taken by the interrupt itself. Order:
 * irq.lock -> ntfn.lock.
 */
#include "arch/x86_64/apic.h"
#include "kernel/syscall.h"
#include "mm/kmalloc.h"

struct irq {
	struct object object;
	struct spinlock lock; /* guards all below */
	struct object *ntfn; /* NULL: not bound */
	uint64_t bits;
};

static struct irq irqs[ACPI_ISA_IRQS];

/* From now on interrupts go to `n`, or nowhere. */
static void aim(struct irq *i, struct object *n, uint64_t bits)
{
	spin_lock(&i->lock);
	struct object *was = i->ntfn;
	i->ntfn = n;
	i->bits = bits;
	spin_unlock(&i->lock);
	if (was)
		object_put(was);
}

/* Nobody holds it, nor will anybody: it is quiet for good. */
static void irq_close(void *irq)
{
	struct irq *i = irq;

	ioapic_set(i - irqs, true);
	aim(i, NULL, 0);
}

static void irq_interrupt(struct trapframe *tf)
{
	struct irq *i = &irqs[tf->vector - VEC_IRQ0];

	ioapic_set(i - irqs, true);
	spin_lock(&i->lock);
	if (i->ntfn)
		ntfn_signal(i->ntfn, i->bits);
	spin_unlock(&i->lock);
}

void *irq_open(unsigned irq)
{
	struct irq *i = &irqs[irq];

	spin_init(&i->lock, RANK_irq);
	irq_register(VEC_IRQ0 + irq, irq_interrupt);
	i->object = (struct object){ 1, irq_close };
	return i;
}

int64_t sys_dev_irq(struct trapframe *tf, const struct cap *irq)
{
	struct irq *i = irq->object;
	struct cap *ntfn = &current()->other;

	if (ARG1(tf) == WEIR_IRQ_BIND) {
		if (ARG3(tf) > 63)
			return -WEIR_EINVAL;
		int status = lookup(ARG2(tf), WEIR_OBJ_NTFN, WEIR_R_WRITE,
				    ntfn);
		if (status)
			return status;
		if (!ioapic_set(i - irqs, true))
			return -WEIR_EIO;
		cap_get(*ntfn);
		aim(i, ntfn->object, 1ull << ARG3(tf));
	} else if (ARG1(tf) != WEIR_IRQ_ACK) {
		return -WEIR_EINVAL;
	}
	ioapic_set(i - irqs, false);
	return 0;
}

/* ---- ports --------------------------------------------------------------- */

struct ports {
	struct object object;
	uint32_t first, count;
};

void *ports_create(uint32_t first, uint32_t count)
{
	struct ports *p = kzalloc(sizeof(*p));

	if (p)
		*p = (struct ports){ { 1, kfree }, first, count };
	return p;
}

/* Are these `count` ports, and not 0, all among its own? */
static bool hold(const struct ports *p, uint64_t first, uint64_t count)
{
	uint64_t at = first - p->first;

	return first >= p->first && at < p->count && count &&
	       count <= p->count - at;
}

/* May ARG2 bytes (1, 2 or 4) at port ARG1 be read or written? */
static int check_io(const struct trapframe *tf, const struct ports *p)
{
	uint64_t bytes = ARG2(tf);

	if (bytes != 1 && bytes != 2 && bytes != 4)
		return -WEIR_EINVAL;
	return hold(p, ARG1(tf), bytes) ? 0 : -WEIR_ERIGHTS;
}

int64_t sys_port_in(struct trapframe *tf, const struct cap *ports)
{
	uint16_t port = ARG1(tf);
	int status = check_io(tf, ports->object);

	if (status)
		return status;
	return ARG2(tf) == 1 ? inb(port) : ARG2(tf) == 2 ? inw(port) :
							   inl(port);
}

int64_t sys_port_out(struct trapframe *tf, const struct cap *ports)
{
	uint16_t port = ARG1(tf);
	int status = check_io(tf, ports->object);

	if (!status)
		ARG2(tf) == 1 ? outb(port, ARG3(tf)) :
		ARG2(tf) == 2 ? outw(port, ARG3(tf)) : outl(port, ARG3(tf));
	return status;
}

int64_t sys_ports_narrow(struct trapframe *tf, const struct cap *ports)
{
	if (!hold(ports->object, ARG1(tf), ARG2(tf)))
		return -WEIR_ERIGHTS;
	return give_handle(WEIR_OBJ_PORTS, ports_create(ARG1(tf), ARG2(tf)),
			   ports->rights);
}
