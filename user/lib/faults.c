/*
 * faults.c - sets the points where the kernel makes faults on purpose, by
 * name: see docs/reliability.md.
 */
#include "user/lib/faults.h"

#include <stdlib.h>
#include <string.h>

/* The decimal number at *s, which is moved behind it; false: there is none, or
 * it is more than `max`. */
static bool read_number(const char **s, uint64_t max, uint64_t *out)
{
	char *end;

	if (**s < '0' || **s > '9')
		return false;
	*out = strtoull(*s, &end, 10);
	*s = end;
	return *out <= max;
}

static bool is_named(const char *name, const char *word, size_t len)
{
	return len > 0 && strncmp(name, word, len) == 0 &&
	       strchr("-.", name[len]); /* or its end */
}

/* The end of the word NAME:N or NAME:NxTIMES; NULL: it is bad. */
static const char *set_word(const char *word, uint64_t flags)
{
	size_t len = strcspn(word, ":,");
	const char *s = word + len;
	uint64_t one_in, times = 0;
	struct weir_fault_point p;
	bool known = false;

	if (*s++ != ':' || !read_number(&s, UINT32_MAX, &one_in))
		return NULL;
	if (*s == 'x' && (s++, !read_number(&s, INT32_MAX, &times)))
		return NULL;
	if (*s && *s != ',')
		return NULL;
	for (uint64_t i = 0; fault_point(i, &p); i++)
		if (is_named(p.name, word, len))
			known |= sys_sys_ctl(WEIR_CTL_FAULT, i, flags |
				WEIR_FAULT_RATE(one_in, times)) == 0;
	return known ? s : NULL;
}

const char *faults_set(const char *text, bool own)
{
	while (*text) {
		const char *end = set_word(text, own ? WEIR_FAULT_OWN : 0);

		if (!end)
			return text;
		text = *end ? end + 1 : end;
	}
	return NULL;
}

bool fault_point(uint64_t i, struct weir_fault_point *out)
{
	return sys_sys_info(WEIR_INFO_FAULT, i, out, sizeof(*out)) > 0;
}

uint64_t faults_injected(const char *name)
{
	struct weir_fault_point p;
	uint64_t sum = 0;

	for (uint64_t i = 0; fault_point(i, &p); i++)
		if (is_named(p.name, name, strlen(name)))
			sum += p.injected;
	return sum;
}
