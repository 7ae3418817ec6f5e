/*
 * pci.c - finds the virtio disks on the bus, by configuration mechanism 1.
 *
 * startup->ports[0] are the two ports of the mechanism, [1] those at which
 * the firmware puts devices. A disk keeps the ports of its registers.
 */
#include "user/servers/blk/virtio.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define VIRTIO_BLK 0x10011af4u /* transitional: device, vendor */
#define REGISTERS 28u          /* of its legacy interface, to the capacity */

enum { AT_ID = 0x00, AT_COMMAND = 0x04, AT_HEADER = 0x0c, AT_BAR0 = 0x10,
       AT_LINE = 0x3c };
enum { COMMAND_IO = 1, COMMAND_MASTER = 4, COMMAND_NO_INTX = 1 << 10 };
#define HEADER_MANY (1u << 23) /* it has several functions */
#define BAR_IO 1u

/* `place`: device << 3 | function, of bus 0. */
static void select(unsigned place, unsigned at)
{
	sys_port_out(startup->ports[0], CONFIG_ADDRESS, 4,
		     1u << 31 | place << 8 | at);
}

static uint32_t config_read(unsigned place, unsigned at)
{
	long value;

	select(place, at);
	value = sys_port_in(startup->ports[0], CONFIG_DATA, 4);
	return value < 0 ? ~0u : (uint32_t)value;
}

static void config_write16(unsigned place, unsigned at, unsigned value)
{
	select(place, at);
	sys_port_out(startup->ports[0], CONFIG_DATA, 2, value);
}

static void add(unsigned place)
{
	struct disk *d = &disks[ndisks];
	uint32_t bar = config_read(place, AT_BAR0);
	unsigned command = config_read(place, AT_COMMAND) & 0xffff;
	long ports;

	d->bar = bar & 0xfffc;
	d->line = config_read(place, AT_LINE) & 0xff;
	ports = sys_ports_narrow(startup->ports[1], d->bar, REGISTERS);
	if (!(bar & BAR_IO) || ports < 0 || d->line >= 16 ||
	    !startup->irq[d->line]) {
		klogf("device %u at ports %#x, line %u: out of reach",
		      place >> 3, d->bar, d->line);
		if (ports > 0)
			sys_handle_close((handle_t)ports);
		return;
	}
	d->ports = (handle_t)ports;
	config_write16(place, AT_COMMAND, (command & ~COMMAND_NO_INTX) |
						  COMMAND_IO | COMMAND_MASTER);
	ndisks++;
}

void pci_find(void)
{
	for (unsigned place = 0; place < 256 && ndisks < DISKS_MAX; place++) {
		uint32_t id = config_read(place, AT_ID);

		if (id == VIRTIO_BLK)
			add(place);
		if (place % 8 == 0 &&
		    (id == ~0u || !(config_read(place, AT_HEADER) &
				    HEADER_MANY)))
			place += 7;
	}
	sys_handle_close(startup->ports[0]);
	sys_handle_close(startup->ports[1]);
}
