/*
 * userland_test parse|manifest < text, tree SEED - the pure parts of the
 * shell, init and the file server. Prints what came out.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "user/bin/shell/parse.h"
#include "user/servers/fs/tree.h"
#include "user/servers/init/manifest.h"

static const char *value(const char *name, size_t length)
{
	return length == 1 && *name == 'v' ? "a value" : NULL;
}

static void parse(char *text, size_t size)
{
	static struct parser p;
	static struct pipeline each;
	char *copy = malloc(size + 1); /* exact, so that ASan sees its end */

	memcpy(copy, text, size);
	copy[size] = '\0';
	parse_start(&p, copy, value);
	while (parse_next(&p, &each)) {
		assert(each.stages > 0 && each.from <= each.to);
		printf("%d%s", each.when, each.background ? " &" : "");
		for (int i = 0; i < each.stages; i++) {
			const struct command *c = &each.stage[i];

			printf(" %s", i ? "|" : "");
			for (int w = 0; w < c->argc; w++)
				printf("[%s]", c->argv[w]);
			assert(c->argv[c->argc] == NULL);
			if (c->in)
				printf("<%s", c->in);
			if (c->out)
				printf("%s%s", c->append ? ">>" : ">", c->out);
		}
		printf("\n");
	}
	if (p.error) {
		assert(p.error_at <= strlen(copy));
		printf("error %zu %s\n", p.error_at, p.error);
	}
	free(copy);
}

static void complain(unsigned line, const char *what)
{
	printf("%u: %s\n", line, what);
}

static void manifest(const char *text, size_t size)
{
	static struct manifest m;
	char *copy = malloc(size ? size : 1);

	memcpy(copy, text, size);
	manifest_read(&m, copy, size, complain);
	for (unsigned i = 0; i < m.count; i++)
		printf("%s %s %x %u %u %d %u\n", m.service[i].name,
		       m.service[i].program, m.service[i].flags,
		       m.service[i].state, m.service[i].keep,
		       m.service[i].restart, m.service[i].line);
	for (unsigned i = 0; i < m.count; i++)
		if (m.service[i].irqs)
			printf("%x %x+%x %x+%x\n", m.service[i].irqs,
			       m.service[i].ports[0].first,
			       m.service[i].ports[0].count,
			       m.service[i].ports[1].first,
			       m.service[i].ports[1].count);
	free(copy);
}

/* --- the tree: random changes, and what must hold after each ------------- */
static uint64_t seed;

static unsigned roll(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % n;
}

static void random_path(char *path, size_t size)
{
	unsigned depth = 1 + roll(4);

	path[0] = '\0';
	while (depth--)
		snprintf(path + strlen(path), size - strlen(path), "/%c",
			 'a' + roll(5));
}

static void check_tree(struct tree *t)
{
	for (int i = 1; i < (int)FS_NODES; i++) {
		const struct node *n = &t->node[i];
		int at = i, depth = 0;

		if (!n->used)
			continue;
		for (; at; at = t->node[at].parent) {
			assert(t->node[at].used && depth++ < 300);
			assert(t->node[t->node[at].parent].folder);
		}
		assert(tree_child(t, n->parent, n->name, strlen(n->name)) ==
		       i);
	}
}

/* What is of a mount has places of its own, and goes with it. */
static void mounts(struct tree *t)
{
	int at, n = 0, i = 0;

	t->magic = 0;
	tree_init(t);
	at = tree_add(t, 0, "mount", 5, true);
	assert(at > 0 && at < (int)FS_OWN_NODES);
	t->node[at].mount = 3;
	t->mount[2].node = (uint16_t)at;
	while ((i = tree_add(t, roll(2) || i == 0 ? at : i, "f", 1, true)) > 0)
		n++;
	assert(i == -FS_FULL && n == (int)(FS_NODES - FS_OWN_NODES));
	i = tree_add(t, 0, "own", 3, false);
	assert(i > 0 && i < (int)FS_OWN_NODES && t->node[i].mount == 0);
	tree_unmount(t, 3);
	assert(tree_find(t, "/mount") == -FS_NONE && !t->mount[2].node);
	assert(tree_find(t, "/own") == i);
	for (i = (int)FS_OWN_NODES; i < (int)FS_NODES; i++)
		assert(!t->node[i].used);
	check_tree(t);
}

static void tree(void)
{
	static struct tree t;
	char path[FS_PATH_BYTES], to[FS_PATH_BYTES];
	const char *name;
	size_t length;
	unsigned done = 0;
	int node, folder, over;

	tree_init(&t);
	for (int i = 0; done < 600; i++) { /* most steps change nothing */
		assert(i < 200000);
		random_path(path, sizeof(path));
		random_path(to, sizeof(to));
		node = tree_find(&t, path);
		switch (roll(4)) {
		case 0:
		case 1:
			folder = tree_parent(&t, path, &name, &length);
			if (node < 0 && folder >= 0)
				done += tree_add(&t, folder, name, length,
						 roll(3)) > 0;
			break;
		case 2:
			if (node >= 0 && roll(3) == 0 &&
			    tree_check_remove(&t, node) == 0)
				tree_remove(&t, node);
			break;
		case 3:
			folder = tree_parent(&t, to, &name, &length);
			if (node < 0 || folder < 0 ||
			    tree_check_rename(&t, node, folder, name, length,
					      &over) < 0)
				break;
			if (over >= 0)
				tree_remove(&t, over);
			tree_rename(&t, node, folder, name, length);
			assert(tree_find(&t, to) == node);
			done++;
		}
		check_tree(&t);
	}
	mounts(&t);
}

int main(int argc, char **argv)
{
	struct input in;

	if (argc == 3 && strcmp(argv[1], "tree") == 0) {
		seed = strtoull(argv[2], NULL, 10);
		tree();
		return 0;
	}
	assert(argc == 2);
	in = input_stdin();
	if (strcmp(argv[1], "parse") == 0)
		parse((char *)in.bytes, in.size);
	else
		manifest((char *)in.bytes, in.size);
	free(in.bytes);
	return 0;
}
