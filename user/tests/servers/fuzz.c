/*
 * fuzz.c - messages that make no sense, to every server: each must answer,
 * and none may crash. What they changed is theirs: the fuzzer speaks through
 * a session of its own, and writes into the tree of files only what paths of
 * random bytes hit.
 */
#include <string.h>

#include "user/lib/console.h"
#include "user/lib/fs.h"
#include "user/lib/names.h"
#include "user/lib/server.h"
#include "user/tests/servers/check.h"

#define ROUNDS 1500

/* Small numbers, large ones, and those around the edges of both. */
static uint64_t odd_number(void)
{
	uint64_t r = random64();

	switch (r >> 60) {
	case 0:
		return ~0ull - (r & 7);
	case 1:
		return 1ull << (r & 63);
	case 2:
		return (1ull << (r & 63)) - 1;
	case 3:
		return r;
	}
	return r & 0x1f;
}

/* A handle of any kind, to be moved; 0: none. */
static handle_t any_handle(handle_t ep, handle_t page)
{
	long h = 0;

	switch (random64() >> 61) {
	case 0:
		h = sys_ntfn_create();
		break;
	case 1:
		h = sys_handle_dup(ep, WEIR_R_WRITE | WEIR_R_DUP, 0);
		break;
	case 2:
		h = sys_handle_dup(startup->self, WEIR_R_DUP, 0);
		break;
	case 3:
		h = sys_handle_dup(page, WEIR_R_READ | WEIR_R_DUP, 0);
		break;
	case 4:
	case 5:
	case 6:
		h = sys_handle_dup(page, WEIR_R_READ | WEIR_R_WRITE |
						 WEIR_R_DUP, 0);
	}
	return h < 0 ? 0 : (handle_t)h;
}

/* Names of a few letters, some of which are there. */
static void scribble(char *page)
{
	static const char letters[] = "//bin/etc..ab";

	for (size_t i = 0; i < 2 * FS_PATH_BYTES; i++)
		page[i] = random64() >> 60 ? letters[random64() % 13]
					   : (char)random64();
	page[random64() % 12] = page[FS_PATH_BYTES + random64() % 12] = '\0';
}

static void fuzz(const char *name, handle_t ep)
{
	struct weir_msg m;
	handle_t page;
	char *bytes = pages_map(1, &page);

	CHECK(bytes != NULL && ep != 0);
	for (unsigned i = 0; bytes && i < ROUNDS; i++) {
		scribble(bytes);
		m = (struct weir_msg){ .label = odd_number(),
				       .handle = any_handle(ep, page) };
		/* Not the one that ends other services. */
		if (m.label == CONTROL_KILL && ep == startup->control)
			m.label = 0;
		for (unsigned w = 0; w < 5; w++)
			m.w[w] = odd_number();
		if (sys_ipc_call(ep, &m) < 0) {
			check(false, name, __FILE__, __LINE__);
			break;
		}
		if (m.handle)
			sys_handle_close(m.handle);
	}
	pages_unmap(bytes, 1);
	sys_handle_close(page);
}

static bool restarted(void)
{
	struct weir_msg m;
	uint64_t restarts = 0;

	for (uint64_t i = 0;; i++) {
		m = (struct weir_msg){ .label = CONTROL_LIST, .w = { i } };
		if (sys_ipc_call(startup->control, &m) < 0 || m.label)
			break;
		restarts += m.w[1];
	}
	return restarts > 0;
}

void test_fuzz(void)
{
	uint64_t session;
	long console = console_fork(CONSOLE_NEW_GROUP, &session);
	long fs = names_lookup("fs"), guest = names_lookup("console");
	long blk = names_lookup("blk");

	CHECK(console > 0 && fs > 0 && guest > 0 && blk > 0);
	fuzz("names", startup->names);
	fuzz("fs", (handle_t)fs);
	fuzz("blk", (handle_t)blk);
	fuzz("console", (handle_t)console);
	console_drop(session);
	fuzz("dropped session", (handle_t)console);
	fuzz("guest", (handle_t)guest);
	fuzz("init", startup->control);
	CHECK(!restarted());
}
