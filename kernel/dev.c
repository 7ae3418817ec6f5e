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
#include "kernel/dev.h"

#include "arch/x86_64/apic.h"
#include "kernel/thread.h"
#include "kernel/ntfn.h"
#include "mm/kmalloc.h"

struct irq {
	struct object object;
	struct spinlock lock; /* guards all below */
	struct ntfn *ntfn; /* NULL: not bound */
	uint64_t bits;
};

static struct irq irqs[ISA_IRQS];

/* From now on interrupts go to `n`, or nowhere. */
static void aim(struct irq *i, struct ntfn *n, uint64_t bits)
{
	struct ntfn *was;

	spin_lock(&i->lock);
	was = i->ntfn;
	i->ntfn = n;
	i->bits = bits;
	spin_unlock(&i->lock);
	if (was)
		object_put((struct object *)was);
}

/* Nobody holds it, nor will anybody: it is quiet for good. */
static void irq_close(void *irq)
{
	struct irq *i = irq;

	ioapic_set_mask(i - irqs, true);
	aim(i, NULL, 0);
}

struct irq *irq_open(unsigned irq)
{
	struct irq *i = &irqs[irq];

	spin_init(&i->lock, "irq");
	i->object = (struct object){ 1, irq_close };
	return i;
}

static void irq_interrupt(struct trapframe *tf)
{
	unsigned number = tf->vector - VEC_IRQ0;
	struct irq *i = &irqs[number];

	ioapic_set_mask(number, true);
	spin_lock(&i->lock);
	if (i->ntfn)
		ntfn_signal(i->ntfn, i->bits);
	spin_unlock(&i->lock);
}

int irq_bind(struct irq *i, struct ntfn *n, unsigned bit)
{
	unsigned number = i - irqs;

	irq_register(VEC_IRQ0 + number, irq_interrupt);
	if (!ioapic_route(number, VEC_IRQ0 + number))
		return -WEIR_EIO;
	aim(i, n, 1ull << bit);
	ioapic_set_mask(number, false);
	return 0;
}

void irq_ack(struct irq *i)
{
	ioapic_set_mask(i - irqs, false);
}

/* ---- ports --------------------------------------------------------------- */

struct ports {
	struct object object;
	uint32_t first, count;
};

struct ports *ports_create(uint32_t first, uint32_t count)
{
	struct ports *p = kzalloc(sizeof(*p));

	if (p)
		*p = (struct ports){ { 1, kfree }, first, count };
	return p;
}

bool ports_hold(const struct ports *p, uint64_t first, uint64_t count)
{
	uint64_t at = first - p->first;

	return first >= p->first && at < p->count && count &&
	       count <= p->count - at;
}

int ports_io(struct ports *p, uint64_t port, uint64_t bytes, uint32_t *value,
	     bool out)
{
	if (bytes != 1 && bytes != 2 && bytes != 4)
		return -WEIR_EINVAL;
	if (!ports_hold(p, port, bytes))
		return -WEIR_ERIGHTS;
	if (!out)
		*value = bytes == 1 ? inb(port) :
			 bytes == 2 ? inw(port) : inl(port);
	else
		bytes == 1 ? outb(port, *value) :
		bytes == 2 ? outw(port, *value) : outl(port, *value);
	return 0;
}
