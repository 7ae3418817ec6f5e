/*
 * info.c - names and numbers: errors, counters, settings, arguments, time.
 */
#include <stdlib.h>
#include <string.h>

#include "user/lib/weir_user.h"

const char *const counter_names[WEIR_NCOUNTERS] = {
#define COUNTER(name, text) #name,
#include "kernel/abi/counters.def"
#undef COUNTER
};

const char *const policy_names[WEIR_NPOLICIES] = WEIR_POLICY_NAMES;

int policy_by_name(const char *name)
{
	for (int i = 0; i < WEIR_NPOLICIES; i++)
		if (strcmp(name, policy_names[i]) == 0)
			return i;
	return -1;
}

const char *weir_strerror(long error)
{
	static const char *const text[] = {
		[WEIR_OK] = "success",
		[WEIR_EHANDLE] = "no such handle",
		[WEIR_ERIGHTS] = "the handle lacks the right",
		[WEIR_EINVAL] = "invalid argument",
		[WEIR_ENOMEM] = "out of memory",
		[WEIR_EFAULT] = "bad address",
		[WEIR_EPEER] = "the other side is gone",
		[WEIR_ETIMEOUT] = "timed out",
		[WEIR_EFULL] = "a table is full",
		[WEIR_EBUSY] = "busy",
		[WEIR_ENOSYS] = "not there",
		[WEIR_EPERM] = "not permitted",
		[WEIR_EIO] = "a device failed",
	};
	unsigned long n = error < 0 ? -(unsigned long)error
				    : (unsigned long)error;

	return n < sizeof(text) / sizeof(text[0]) ? text[n]
						  : "unknown error";
}

void counters_read(struct counters *out)
{
	*out = (struct counters){ 0 };
	sys_sys_info(WEIR_INFO_COUNTERS, 0, out->v, sizeof(out->v));
}

uint64_t counter(enum weir_counter c)
{
	struct counters now;

	counters_read(&now);
	return now.v[c];
}

void counters_diff(struct counters *out, const struct counters *now,
		   const struct counters *before)
{
	for (int i = 0; i < WEIR_NCOUNTERS; i++)
		out->v[i] = now->v[i] - before->v[i];
	out->v[WEIR_C_nr_free_pages] = now->v[WEIR_C_nr_free_pages];
}

void system_read(struct weir_system *out)
{
	*out = (struct weir_system){ 0 };
	sys_sys_info(WEIR_INFO_SYSTEM, 0, out, sizeof(*out));
}

/* What follows `key=` in arg; NULL: another key. */
static const char *value_of(const char *arg, const char *key)
{
	size_t n = strlen(key);

	return strncmp(arg, key, n) == 0 && arg[n] == '=' ? arg + n + 1
							   : NULL;
}

bool arg_str(const char *arg, const char *key, const char **value)
{
	const char *text = value_of(arg, key);

	if (text)
		*value = text;
	return text != NULL;
}

/* False, too, where the value is not a number from 0 up. */
bool arg_u64(const char *arg, const char *key, uint64_t *value)
{
	const char *text = value_of(arg, key);
	char *end;

	if (!text || text[0] < '0' || text[0] > '9')
		return false;
	*value = strtoull(text, &end, 0);
	return *end == '\0';
}

/* Nobody signals the notification: the deadline ends the wait. */
void sleep_ns(uint64_t ns)
{
	uint64_t end = now_ns() + ns;
	long ntfn = sys_ntfn_create();

	while (now_ns() < end) {
		if (ntfn < 0)
			uthread_yield();
		else
			sys_ntfn_wait((handle_t)ntfn, 1, end, NULL);
	}
	if (ntfn >= 0)
		sys_handle_close((handle_t)ntfn);
}
