/*
 * print.c - kprintf and its relatives.
 *
 * kprintf formats into a buffer on the stack, then writes it under
 * print_lock, so lines of several CPUs do not mix; longer text is cut.
 */
#include "arch/x86_64/print.h"

#include "arch/x86_64/spin.h"
#include "arch/x86_64/string.h"
#include "arch/x86_64/uart.h"

#define LONGEST_LINE 512

static struct spinlock print_lock = SPINLOCK_INIT("print");
static bool lock_broken;

/* Output so far; `len` counts also what did not fit. */
struct out {
	char *buf;
	size_t room, len;
};

/* One conversion's flags. */
struct spec {
	bool left, zero;
	int width, precision;
	int longs;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->room)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

/* Text of n bytes, padded; zeros go between a sign and the digits. */
static void put_field(struct out *o, const struct spec *s, const char *text,
		      size_t n)
{
	int fill = s->width - (int)n;

	if (!s->left && s->zero && n && *text == '-') {
		put(o, *text++);
		n--;
	}
	if (!s->left)
		pad(o, s->zero ? '0' : ' ', fill);
	for (size_t i = 0; i < n; i++)
		put(o, text[i]);
	if (s->left)
		pad(o, ' ', fill);
}

static void put_number(struct out *o, const struct spec *s, uint64_t v,
		       unsigned base, bool negative)
{
	char text[24];
	char *at = text + sizeof(text);

	do {
		*--at = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (negative)
		*--at = '-';
	put_field(o, s, at, text + sizeof(text) - at);
}

static const char *parse_number(const char *f, int *out)
{
	*out = 0;
	while (*f >= '0' && *f <= '9')
		*out = *out * 10 + (*f++ - '0');
	return f;
}

static const char *parse_spec(const char *f, struct spec *s, va_list *ap)
{
	*s = (struct spec){ .precision = -1 };
	for (;; f++) {
		if (*f == '-')
			s->left = true;
		else if (*f == '0')
			s->zero = true;
		else
			break;
	}
	if (*f == '*') {
		s->width = va_arg(*ap, int);
		f++;
	} else {
		f = parse_number(f, &s->width);
	}
	if (*f == '.' && f[1] == '*') {
		s->precision = va_arg(*ap, int);
		f += 2;
	} else if (*f == '.') {
		f = parse_number(f + 1, &s->precision);
	}
	for (; *f == 'l' || *f == 'z'; f++)
		s->longs++;
	return f;
}

static void put_string(struct out *o, struct spec *s, const char *text)
{
	size_t most = s->precision < 0 ? (size_t)-1 : (size_t)s->precision;

	if (!text)
		text = "(null)";
	s->zero = false;
	put_field(o, s, text, strnlen(text, most));
}

static void put_conversion(struct out *o, struct spec *s, char c, va_list *ap)
{
	int64_t v;
	char byte;

	switch (c) {
	case 's':
		put_string(o, s, va_arg(*ap, const char *));
		break;
	case 'c':
		byte = (char)va_arg(*ap, int);
		put_field(o, s, &byte, 1);
		break;
	case 'd':
	case 'i':
		v = s->longs ? va_arg(*ap, long) : va_arg(*ap, int);
		put_number(o, s, v < 0 ? -(uint64_t)v : (uint64_t)v, 10,
			   v < 0);
		break;
	case 'u':
	case 'x':
		put_number(o, s, s->longs ? va_arg(*ap, unsigned long) :
			   va_arg(*ap, unsigned), c == 'x' ? 16 : 10, false);
		break;
	case 'p':
		s->zero = true;
		s->width = s->width ? s->width : 16;
		put_number(o, s, (uint64_t)va_arg(*ap, void *), 16, false);
		break;
	default:
		put(o, c);
	}
}

int kvsnprintf(char *buf, size_t n, const char *fmt, va_list args)
{
	struct out o = { .buf = buf, .room = n };
	struct spec s;
	va_list ap;

	va_copy(ap, args);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		fmt = parse_spec(fmt + 1, &s, &ap);
		if (!*fmt)
			break;
		put_conversion(&o, &s, *fmt, &ap);
	}
	va_end(ap);
	if (n)
		buf[o.len < n ? o.len : n - 1] = 0;
	return (int)o.len;
}

int ksnprintf(char *buf, size_t n, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = kvsnprintf(buf, n, fmt, ap);
	va_end(ap);
	return len;
}

void kvprintf(const char *fmt, va_list ap)
{
	char line[LONGEST_LINE];
	size_t len = kvsnprintf(line, sizeof(line), fmt, ap);

	if (len >= sizeof(line))
		len = sizeof(line) - 1;
	if (lock_broken) {
		com1_write(line, len);
		return;
	}
	spin_lock(&print_lock);
	com1_write(line, len);
	spin_unlock(&print_lock);
}

void kprintf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	kvprintf(fmt, ap);
	va_end(ap);
}

void print_break_lock(void)
{
	lock_broken = true;
}
