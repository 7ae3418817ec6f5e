/*
 * print.c - kprintf and its relatives.
 *
 * kprintf formats into a buffer on the stack, then writes it at once, so
 * lines of several CPUs do not mix; longer text is cut.
 */
#include "arch/x86_64/print.h"

#include <stdbool.h>
#include <stdint.h>

/* Output so far; `len` counts also what did not fit. */
struct out {
	char *buf;
	size_t room, len;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->room)
		o->buf[o->len] = c;
	o->len++;
}

static void put_number(struct out *o, uint64_t v, unsigned base, size_t least)
{
	char text[20]; /* from the last digit to the first */
	size_t n = 0;

	do {
		text[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v || (n < least && n < sizeof(text)));
	while (n)
		put(o, text[--n]);
}

/* The conversion at `f`, behind its '%'; returns its last character. */
static const char *convert(struct out *o, const char *f, va_list *ap)
{
	size_t digits = 0;
	bool wide = false;
	uint64_t v;

	for (; *f >= '0' && *f <= '9'; f++)
		digits = digits * 10 + (*f - '0');
	for (; *f == 'l' || *f == 'z'; f++)
		wide = true;
	if (*f == 's') {
		const char *s = va_arg(*ap, const char *);

		while (s && *s)
			put(o, *s++);
	} else if (*f == 'd') {
		v = wide ? va_arg(*ap, long) : va_arg(*ap, int);
		if ((int64_t)v < 0) {
			put(o, '-');
			v = -v;
		}
		put_number(o, v, 10, 0);
	} else if (*f == 'u' || *f == 'x' || *f == 'p') {
		wide |= *f == 'p';
		v = wide ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned);
		put_number(o, v, *f == 'u' ? 10 : 16, digits);
	} else if (*f) {
		put(o, *f);
	}
	return f;
}

int kvsnprintf(char *buf, size_t n, const char *fmt, va_list args)
{
	struct out o = { .buf = buf, .room = n };
	va_list ap;

	va_copy(ap, args);
	for (; *fmt; fmt++) {
		if (*fmt != '%')
			put(&o, *fmt);
		else if (!*(fmt = convert(&o, fmt + 1, &ap)))
			break;
	}
	va_end(ap);
	if (n)
		buf[o.len < n ? o.len : n - 1] = 0;
	return (int)o.len;
}

int ksnprintf(char *buf, size_t n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int len = kvsnprintf(buf, n, fmt, ap);
	va_end(ap);
	return len;
}

void kprintf(const char *fmt, ...)
{
	char line[LONGEST_LINE];
	va_list ap;

	va_start(ap, fmt);
	size_t len = kvsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	com1_write(line, len < sizeof(line) ? len : sizeof(line) - 1);
}
