/*
 * parse.c - the shell's grammar. See parse.h.
 */
#include "user/bin/shell/parse.h"

#include <string.h>

enum token {
	END, WORD, PIPE, OR, AND, BACKGROUND, SEMICOLON, IN, OUT, APPEND, BAD,
};

static bool is_name(char c, bool first)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (!first && c >= '0' && c <= '9');
}

static enum token fail(struct parser *p, size_t at, const char *error)
{
	if (!p->error) {
		p->error = error;
		p->error_at = at;
	}
	return BAD;
}

static void put(struct parser *p, char c)
{
	if (p->used < sizeof(p->room))
		p->room[p->used++] = c;
	else
		fail(p, p->at, "the command is too long");
}

/* At a `$`: puts the value of what follows. False: a dollar sign as such. */
static bool expand(struct parser *p)
{
	const char *name = p->text + p->at + 1, *value;
	bool braces = *name == '{';
	size_t n = 0;

	name += braces;
	if (*name == '?' || *name == '#' || (*name >= '0' && *name <= '9'))
		n = 1;
	else
		while (is_name(name[n], n == 0))
			n++;
	if (braces && (n == 0 || name[n] != '}')) {
		fail(p, p->at, "${ without a name and }");
		return false;
	}
	if (n == 0)
		return false;
	value = p->value(name, n);
	for (; value && *value; value++)
		put(p, *value);
	p->at = (size_t)(name - p->text) + n + braces;
	return true;
}

/* The part of a word inside quotes; p->at is at the first one. */
static void quoted(struct parser *p)
{
	size_t start = p->at;
	char quote = p->text[p->at++], c;

	for (; (c = p->text[p->at]) != quote; p->at++) {
		if (!c || p->error) {
			fail(p, start, "a quote is not closed");
			return;
		}
		if (quote == '"' && c == '$' && expand(p)) {
			p->at--;
			continue;
		}
		if (quote == '"' && c == '\\' && p->text[p->at + 1])
			c = p->text[++p->at];
		put(p, c);
	}
	p->at++;
}

/* A word, in p->room. *plain: neither quotes nor $. False: it came to
 * nothing, because a variable is empty. */
static bool word(struct parser *p, bool *plain)
{
	size_t start = p->used;
	bool quotes = false;
	char c;

	*plain = true;
	while ((c = p->text[p->at]) && !strchr(" \t\n;&|<>", c) && !p->error) {
		if (strchr("'\"\\$", c))
			*plain = false;
		if (c == '\'' || c == '"') {
			quotes = true;
			quoted(p);
			continue;
		}
		if (c == '$' && expand(p))
			continue;
		if (c == '\\' && p->text[p->at + 1]) {
			c = p->text[++p->at];
			quotes = true;
		}
		put(p, c);
		p->at++;
	}
	put(p, '\0');
	return quotes || p->used - start > 1;
}

static enum token next(struct parser *p, char **text, bool *plain)
{
	const char *s;

	for (;;) {
		p->at += strspn(p->text + p->at, " \t");
		if (p->text[p->at] == '#')
			p->at += strcspn(p->text + p->at, "\n");
		s = p->text + p->at;
		if (!*s)
			return END;
		if (strncmp(s, "||", 2) == 0 || strncmp(s, "&&", 2) == 0 ||
		    strncmp(s, ">>", 2) == 0) {
			p->at += 2;
			return *s == '|' ? OR : *s == '&' ? AND : APPEND;
		}
		if (strchr("|&;\n<>", *s)) {
			p->at++;
			return *s == '|' ? PIPE : *s == '&' ? BACKGROUND
			     : *s == '<' ? IN : *s == '>' ? OUT : SEMICOLON;
		}
		*text = p->room + p->used;
		if (word(p, plain))
			return p->error ? BAD : WORD;
		if (p->error)
			return BAD;
	}
}

/* A file after < > >>. */
static bool redirect(struct parser *p, enum token kind, struct command *c)
{
	size_t at = p->at - (kind == APPEND ? 2 : 1);
	char **to = kind == IN ? &c->in : &c->out;
	bool plain;

	if (*to) {
		fail(p, at, kind == IN ? "the input is redirected twice"
				       : "the output is redirected twice");
		return false;
	}
	if (next(p, to, &plain) != WORD) {
		fail(p, at, "a file is missing after the redirection");
		return false;
	}
	c->append = kind == APPEND || (kind == IN && c->append);
	return true;
}

/* One command and the token behind it. */
static enum token command(struct parser *p, struct command *c)
{
	enum token t;
	bool plain;
	char *text;
	size_t at;

	*c = (struct command){ 0 };
	for (;;) {
		p->at += strspn(p->text + p->at, " \t");
		at = p->at;
		t = next(p, &text, &plain);
		if (t == IN || t == OUT || t == APPEND) {
			if (!redirect(p, t, c))
				return BAD;
			continue;
		}
		if (t != WORD)
			break;
		if (c->argc == WEIR_MAX_ARGS)
			return fail(p, at, "too many words");
		if (c->argc == 0)
			c->plain = plain;
		c->argv[c->argc++] = text;
	}
	p->error_at = p->error ? p->error_at : at;
	return t;
}

void parse_start(struct parser *p, const char *text,
		 const char *(*value)(const char *name, size_t length))
{
	*p = (struct parser){ .text = text, .value = value };
}

/* What the token behind a pipeline means for it and the next. */
static void separate(struct parser *p, enum token t, struct pipeline *out)
{
	out->background = t == BACKGROUND;
	p->next = t == AND ? RUN_IF_OK : t == OR ? RUN_IF_FAILED : RUN_ALWAYS;
	p->must = t == AND || t == OR;
}

bool parse_next(struct parser *p, struct pipeline *out)
{
	struct command *c;
	enum token t;

	p->used = 0;
	do {
		*out = (struct pipeline){ .when = p->next };
		p->at += strspn(p->text + p->at, " \t");
		out->from = p->at;
		do {
			if (out->stages == STAGES_MAX) {
				fail(p, p->at,
				     "too many commands in a pipeline");
				return false;
			}
			c = &out->stage[out->stages];
			t = command(p, c);
			if (t == BAD)
				return false;
			if (c->argc == 0 &&
			    (c->in || c->out || t == PIPE || t == OR ||
			     t == AND || t == BACKGROUND || out->stages ||
			     p->must)) {
				fail(p, p->error_at, "a command is missing");
				return false;
			}
			out->stages += c->argc > 0;
		} while (t == PIPE);
		out->to = p->error_at;
		separate(p, t, out);
	} while (out->stages == 0 && t != END);
	return out->stages > 0;
}
