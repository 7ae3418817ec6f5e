/*
 * manifest.c - reads etc/manifest. See manifest.h.
 */
#include "user/servers/init/manifest.h"

#include <stdio.h>
#include <string.h>

#define LINE_BYTES 256
#define WORD_BYTES 64

static const struct {
	const char *word;
	enum service_flag flag;
} flags[] = {
	{ "pinned", SERVICE_PINNED },
	{ "system", SERVICE_SYSTEM },   { "privileged", SERVICE_PRIVILEGED },
	{ "initrd", SERVICE_INITRD },   { "console", SERVICE_CONSOLE },
	{ "names", SERVICE_NAMES },     { "control", SERVICE_CONTROL },
	{ "others", SERVICE_OTHERS },   { "guest", SERVICE_GUEST },
	{ "session", SERVICE_SESSION },
};

static const char *const policies[] = {
	[RESTART_ALWAYS] = "restart=always",
	[RESTART_CRASH] = "restart=crash",
	[RESTART_NEVER] = "restart=never",
};

/* The next word of *at in `word`; false: there is none. A word that does not
 * fit comes out as "?". */
static bool next_word(const char **at, char word[WORD_BYTES])
{
	size_t n;

	*at += strspn(*at, " \t\r");
	n = strcspn(*at, " \t\r");
	if (n == 0)
		return false;
	snprintf(word, WORD_BYTES, "%.*s", (int)n,
		 n < WORD_BYTES ? *at : "?");
	*at += n;
	return true;
}

/* `key=N` with 1 <= N <= max. 1: taken; 0: another key; -1: bad value. */
static int number(const char *word, const char *key, unsigned max,
		  unsigned *value)
{
	size_t n = strlen(key);
	unsigned v = 0;

	if (strncmp(word, key, n) != 0)
		return 0;
	for (word += n; *word >= '0' && *word <= '9' && v <= max; word++)
		v = v * 10 + (unsigned)(*word - '0');
	if (*word || v == 0 || v > max)
		return -1;
	*value = v;
	return 1;
}

/* `irq=N`, once for each line. */
static int take_irq(struct service_line *s, const char *word)
{
	unsigned line = 0;
	int taken = strcmp(word, "irq=0") == 0 ? 1
		    : number(word, "irq=", SERVICE_IRQS - 1, &line);

	if (taken > 0)
		s->irqs |= 1u << line;
	return taken;
}

/* Reads 1 to 4 hexadecimal digits; where they end, or NULL. */
static const char *hexadecimal(const char *at, unsigned *value)
{
	static const char digits[] = "0123456789abcdef";
	const char *start = at, *digit;

	for (*value = 0; *at && (digit = strchr(digits, *at)); at++)
		*value = *value * 16 + (unsigned)(digit - digits);
	return at > start && at - start <= 4 ? at : NULL;
}

/* `ports=FIRST-LAST`, hexadecimal, up to SERVICE_PORTS_MAX times. */
static int take_ports(struct service_line *s, const char *word)
{
	unsigned first, last, i = 0;

	if (strncmp(word, "ports=", 6) != 0)
		return 0;
	word = hexadecimal(word + 6, &first);
	if (!word || *word != '-')
		return -1;
	word = hexadecimal(word + 1, &last);
	if (!word || *word || first > last)
		return -1;
	while (i < SERVICE_PORTS_MAX && s->ports[i].count)
		i++;
	if (i == SERVICE_PORTS_MAX)
		return -1;
	s->ports[i].first = first;
	s->ports[i].count = last - first + 1;
	return 1;
}

/* One word after the program. False: not one that is known. */
static bool take_word(struct service_line *s, const char *word)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strcmp(word, flags[i].word) == 0) {
			s->flags |= flags[i].flag;
			return true;
		}
	for (unsigned i = 0; i < 3; i++)
		if (strcmp(word, policies[i]) == 0) {
			s->restart = (enum restart)i;
			return true;
		}
	return take_irq(s, word) > 0 || take_ports(s, word) > 0 ||
	       number(word, "state=", SERVICE_STATE_MAX, &s->state) > 0 ||
	       number(word, "keep=", SERVICE_KEEP_MAX, &s->keep) > 0;
}

/* NULL, or what is wrong with the line. Nothing on it: s->name is empty. */
static const char *read_line(const char *line, struct service_line *s)
{
	static char text[WORD_BYTES + 32];
	char word[WORD_BYTES];
	size_t n;

	if (!next_word(&line, s->program))
		return NULL;
	n = strlen(s->program);
	if (n >= sizeof(s->name) ||
	    strspn(s->program, "abcdefghijklmnopqrstuvwxyz0123456789-_") != n)
		return "a name is 1 to 15 of a-z 0-9 - _";
	memcpy(s->name, s->program, n + 1);
	if (!next_word(&line, s->program))
		return "the program is missing";
	while (next_word(&line, word))
		if (!take_word(s, word)) {
			snprintf(text, sizeof(text), "unknown word or bad "
				 "value: %s", word);
			return text;
		}
	return NULL;
}

/* NULL, or why the service cannot join the others. */
static const char *add(struct manifest *m, const struct service_line *s)
{
	for (unsigned i = 0; i < m->count; i++) {
		if (strcmp(m->service[i].name, s->name) == 0)
			return "there is a service of this name already";
		if (m->service[i].flags & s->flags & SERVICE_SESSION)
			return "there is a session already";
	}
	if (m->count == SERVICES_MAX)
		return "too many services";
	m->service[m->count++] = *s;
	return NULL;
}

void manifest_read(struct manifest *m, const char *text, size_t size,
		   void (*complain)(unsigned line, const char *what))
{
	const char *end = text + size, *error;
	char line[LINE_BYTES];
	unsigned number_of = 0;

	*m = (struct manifest){ 0 };
	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((eol ? eol : end) - text);
		struct service_line s = { .line = ++number_of };

		if (n >= sizeof(line)) {
			complain(number_of, "the line is too long");
			text += n + 1;
			continue;
		}
		memcpy(line, text, n);
		line[n] = '\0';
		line[strcspn(line, "#")] = '\0';
		error = read_line(line, &s);
		if (!error && s.name[0])
			error = add(m, &s);
		if (error)
			complain(number_of, error);
		text += n + 1;
	}
}
