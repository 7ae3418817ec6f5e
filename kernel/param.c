/*
 * param.c - the kernel command line.
 *
 * Nothing here knows a kernel: the host tests and the fuzzer compile this
 * very file, with C's own functions of the same names.
 */
#include "kernel/param.h"

#include "arch/x86_64/print.h"
#include "kernel/abi/test.h"
#include "kernel/abi/weir.h"
#include "mm/planted.h"

#define WORD_MAX 600u
#define SENTENCE_MAX 200u
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define FIELD(name) offsetof(struct params, name)
#define NAMES(array) LENGTH(array) - 1, array

static const char *const policies[] = WEIR_POLICY_NAMES;
static const char *const switches[] = { "off", "on" };
static const char *const checks[] = CHECK_NAMES;
#define NAME(name, where) #name,
static const char *const points[] = { WEIR_POINTS(NAME) };

static const struct key {
	const char *name;
	size_t field;      /* a uint64_t */
	uint64_t min, max; /* max 0: a text of less than min characters */
	const char *const *names; /* of the numbers from 0 to max */
} keys[] = {
	{ "cpus", FIELD(cpus), 1, 64, NULL },
	{ "mem", FIELD(mem_mib), 1, 1 << 24, NULL },
	{ "swap", FIELD(swap_mib), 1, 1 << 24, NULL },
	{ "batch", FIELD(batch), 1, 256, NULL },
	{ "readahead", FIELD(readahead), 0, READAHEAD_MAX, NULL },
	{ "ranged", FIELD(ranged), 0, RANGED_MAX, NULL },
	{ "seed", FIELD(seed), 0, UINT64_MAX, NULL },
	{ "delay", FIELD(delay_us), 0, DELAY_MAX_US, NULL },
	{ "tlb", FIELD(policy), 0, NAMES(policies) },
	{ "pcid", FIELD(pcid), 0, NAMES(switches) },
	{ "run", FIELD(run), RUN_MAX, 0, NULL },
	{ "fault", FIELD(fault), FAULTS_MAX, 0, NULL },
	{ "check", FIELD(check), 0, NAMES(checks) },
#ifdef PLANT
	{ "plant", FIELD(planted), 1, NAMES(PLANTED_NAMES) },
#endif
};

/* A decimal number up to the character `end`; false leaves *out alone. */
static bool read_number(uint64_t *out, const char *s, char end)
{
	uint64_t n = 0;

	do {
		unsigned digit = (unsigned char)*s - '0';

		if (digit > 9 || n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	} while (*++s != end);
	*out = n;
	return true;
}

/* Which of `n` names begins at `s` and is `len` long; `n`: none does. */
static size_t find(const char *const *names, size_t n, const char *s,
		   size_t len)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strlen(names[i]) == len && memcmp(s, names[i], len) == 0)
			break;
	return i;
}

/* Names with commas between them, or "all": a bit each. */
static bool set_names(uint64_t *out, const char *const *names, size_t n,
		      const char *s)
{
	bool all = strcmp(s, "all") == 0;
	uint64_t set = all ? (1ull << n) - 1 : 0;

	while (!all) {
		size_t len = 0;

		while (s[len] && s[len] != ',')
			len++;
		set |= 1ull << find(names, n, s, len);
		all = !s[len];
		s += len + 1;
	}
	if (set >> n) /* a name that is none of them */
		return false;
	*out = set;
	return true;
}

/* "SEED:points". */
static bool set_points(struct params *p, const char *value)
{
	const char *names = value;
	uint64_t seed;

	while (*names && *names != ':')
		names++;
	return *names && read_number(&seed, value, ':') &&
	       set_names(&p->points, points, LENGTH(points), names + 1) &&
	       ((p->points_seed = seed) || true);
}

/* False: the value is bad, and nothing was changed. */
static bool set(struct params *p, const struct key *k, const char *value)
{
	void *field = (char *)p + k->field;
	size_t len = strlen(value);
	uint64_t n;

	if (k->field == FIELD(swap_mib) && strcmp(value, "virtio") == 0)
		return p->swap_virtio = true;
	if (k->field == FIELD(check))
		return set_names(field, k->names, k->max + 1, value);
	if (k->field == FIELD(delay_us) && set_points(p, value))
		return true;
	if (!k->max)
		return len < k->min && memcpy(field, value, len + 1);
	if (k->names)
		n = find(k->names, k->max + 1, value, len);
	else if (!read_number(&n, value, 0))
		return false;
	if (n < k->min || n > k->max)
		return false;
	*(uint64_t *)field = n;
	return true;
}

/* Complains in one sentence, cut short where a word is long. Returns how many
 * words were bad: 1. */
static unsigned say(void (*complain)(const char *), const char *fmt,
		    const char *word, const char *value)
{
	char text[SENTENCE_MAX];

	ksnprintf(text, sizeof(text), fmt, word, value);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
			*c = '?';
	complain(text);
	return 1;
}

/* One word, split at its first '='. How many were bad, and named. */
static unsigned apply(char *word, struct params *p,
		      void (*complain)(const char *))
{
	char *value = word;

	while (*value && *value != '=')
		value++;
	if (!*value)
		return say(complain, "parameter without a value: %s", word, "");
	*value++ = 0;
	for (size_t i = 0; i < LENGTH(keys); i++)
		if (strcmp(word, keys[i].name) == 0)
			return set(p, &keys[i], value) ? 0 :
			       say(complain, "parameter %s: bad value \"%s\"",
				   word, value);
	return say(complain, "unknown parameter: %s", word, value);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Copies the next word of *text to `word` without its quotes. GRUB escapes
 * outside of quotes, too, and the apostrophe. False: it was too long, or a
 * quote is open at the end; *text is past it either way. */
static bool next_word(const char **text, char *word)
{
	const char *s = *text;
	bool quoted = false, fits = true;
	size_t n = 0;

	for (; *s && (quoted || !blank(*s)); s++) {
		if (*s == '"') {
			quoted = !quoted;
			continue;
		}
		if (*s == '\\' &&
		    (s[1] == '"' || s[1] == '\\' || s[1] == '\''))
			s++;
		if (n + 1 < WORD_MAX)
			word[n++] = *s;
		else
			fits = false;
	}
	word[n] = 0;
	*text = s;
	return fits && !quoted;
}

unsigned param_parse(const char *text, struct params *p,
		     void (*complain)(const char *))
{
	char word[WORD_MAX];
	unsigned bad = 0;

	for (;;) {
		while (blank(*text))
			text++;
		if (!*text)
			return bad;
		if (next_word(&text, word))
			bad += apply(word, p, complain);
		else
			bad += say(complain, "parameter too long, or a quote "
				   "is open: %s", word, "");
	}
}
